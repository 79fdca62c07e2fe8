"""The figures of ingest as tables: on the terminal, and as docs/bench/ingest.md."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime

from tests.bench.ingest_contenders import CONNECTIONS
from tests.bench.ingest_runs import CONTENDERS, HALF, INSERTS, NAIVE, ONE, OURS, UNSTORED, Latency, Rate, Soak, ratios
from tests.bench.report import Table

WANTED = {NAIVE: 3.0, UNSTORED: 0.5, INSERTS: 0.2}
_LATENCY_WANTED = 5.0
_GROWTH_WANTED = 1.1
_SETTLED = 0.2
"""The part of a memory run after which pools, caches and the heap have their size."""


def tables(rates: Sequence[Rate], latencies: Sequence[Latency], soaked: Soak | None) -> list[Table]:
    """Everything that the benchmark says."""
    made = [_rates(rates), _ratios(rates), _latencies(latencies)]
    return [*made, _memory(soaked)] if soaked else made


def document(made: Sequence[Table], machine: Mapping[str, str], at: datetime) -> str:
    """The page, all of it from one run."""
    facts = Table("Machine", "", ["", ""], [[name, value] for name, value in machine.items()])
    head = f"# Ingest benchmark\n\nWritten by `make bench-ingest` on {at:%Y-%m-%d}; every figure is of that one run."
    return "\n\n".join([head, _METHOD, *(table.markdown() for table in made), facts.markdown()]) + "\n"


_METHOD = f"""\
Leads with name, e-mail, phone, company, campaign and three fields, each of another person, posted as JSON over
{CONNECTIONS} keep-alive connections by a process of its own: bare protocols on uvloop, requests from a template. A
connection sends its next lead once the last is answered. Every contender has a fresh database on the same PostgreSQL
server; repetitions are interleaved, figures are medians with the least and the most.

- **{OURS}**: `relance-ingest serve`, one process, settings as shipped. Key, validation, phone and address made one,
  lead and outgoing event committed before the 202, one log line each; its relay publishes to the real Kafka meanwhile,
  in the same process.
- **{UNSTORED}**: the same process, but its acceptance gives the lead an id and forgets it.
- **{NAIVE}**: FastAPI and SQLAlchemy's ORM, one object, one session and one commit per request, served by uvicorn as
  ours is; the same row, and nothing else: no key, no event, no phone numbers. Twenty connections.
- **{INSERTS}**: `pgbench` with prepared single-row inserts of the same row, without any HTTP.

CPU is in milliseconds per lead: of the endpoint's process, of PostgreSQL, of Kafka, and of the client; busy is the
part of one core that the endpoint used. What stops ours from going further is that core; PostgreSQL has time to spare.
As `python -m tests.bench.profile_ingest` finds, a lead's time there goes in about equal parts to uvicorn, to
middleware and routes (with a log line and two metrics), to the lead itself (key, shape, e-mail address, and the phone
number, which alone takes half of it), and to what is stored (event, fingerprint, shared transactions); the relay with
its Kafka client takes half such a part. FastAPI documents `POST /v1/leads` and says what is wrong with a request, but
what is in order goes past it: through FastAPI a lead took a quarter more. More leads per second take more ingest
processes, which need not know of each other."""


def _rates(rates: Sequence[Rate]) -> Table:
    rows = []
    for name in CONTENDERS:
        mine = [rate for rate in rates if rate.contender == name]
        per_second = [rate.per_second for rate in mine]
        figures = [
            _median([getattr(rate, column) for rate in mine])
            for column in ("endpoint", "postgresql", "kafka", "client", "busy")
        ]
        rows.append(
            [name, _whole(statistics.median(per_second)), _whole(min(per_second)), _whole(max(per_second)), *figures]
        )
    columns = ["contender", "leads/s", "slowest", "fastest", "CPU", "PostgreSQL CPU", "Kafka CPU", "client CPU", "busy"]
    return Table("Leads accepted", "", columns, rows)


def _ratios(rates: Sequence[Rate]) -> Table:
    rows = []
    for name, wanted in WANTED.items():
        found = ratios(rates, name)
        middle = statistics.median(found)
        rows.append([name, f"{wanted:g}", _judged(middle, middle >= wanted), f"{min(found):.2f}", f"{max(found):.2f}"])
    note = "relance's rate in the contender's of the same repetition. Wanted: at least so much."
    return Table("Ratio", note, ["to", "wanted", "median", "least", "most"], rows)


def _latencies(latencies: Sequence[Latency]) -> Table:
    rows = []
    for load in (ONE, HALF):
        mine = [latency for latency in latencies if latency.load == load]
        rows.append(
            [load, _whole(statistics.median(each.per_second for each in mine))]
            + [f"{1000 * statistics.median(getattr(each, column) for each in mine):.1f}" for column in ("p50", "p99")]
        )
    one, half = (statistics.median(each.p99 for each in latencies if each.load == load) for load in (ONE, HALF))
    rows.append(["p99 at half in p99 of one", "", "", _judged(half / one, half / one <= _LATENCY_WANTED)])
    note = (
        "Of relance, in milliseconds. One at a time: a single connection, so each lead is a transaction of its own. At "
        "half of the rate above leads arrive as they like (Poisson), and a lead's time runs from when it was due. "
        f"Wanted: a p99 there within {_LATENCY_WANTED:g} times that of one at a time."
    )
    return Table("Latency", note, ["load", "leads/s", "p50", "p99"], rows)


def _memory(soaked: Soak) -> Table:
    first = next(memory for leads, memory in soaked.memory if leads >= _SETTLED * soaked.leads)
    last = soaked.memory[-1][1]
    most = max(memory for _, memory in soaked.memory)
    growth = last / first
    shown = soaked.memory[:: max(1, len(soaked.memory) // 10)]
    rows = [[_whole(leads), f"{memory:.0f}"] for leads, memory in shown]
    rows += [
        ["at most", f"{most:.0f}"],
        ["at the end", f"{last:.0f}"],
        [f"at the end in that after {_SETTLED:.0%}", _judged(growth, growth <= _GROWTH_WANTED)],
    ]
    note = (
        f"Resident set of the ingest process while {_whole(soaked.leads)} leads came as fast as they were taken, in "
        f"{soaked.seconds:.0f} seconds, its relay publishing to Kafka. Wanted: flat, so {_GROWTH_WANTED:g} at most."
    )
    return Table("Memory", note, ["leads", "MiB"], rows)


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3f}" if known else ""


def _judged(value: float, met: bool) -> str:
    return f"{value:.2f} ({'met' if met else 'NOT MET'})"


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
