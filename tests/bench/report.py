"""The figures as tables: on the terminal, and as docs/bench/router.md."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import rich.table
from rich.console import Console
from tests.bench.fairness import DECLINED, Fairness
from tests.bench.throughput import NAIVE, OURS, OURS_DELIVERING, Case, Result

BAR = r"\|"
"""A bar that is no end of a cell."""
RATIO_WANTED, FLATNESS_WANTED = 5.0, 1.5


@dataclass(frozen=True)
class Table:
    """A title, what is to be known of it, and cells."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def show(self, console: Console) -> None:
        """On the terminal."""
        shown = rich.table.Table(title=self.title)
        for place, column in enumerate(self.columns):
            shown.add_column(column, justify="right" if place else "left", no_wrap=True)
        for row in self.rows:
            shown.add_row(*row)
        console.print(shown)

    def markdown(self) -> str:
        """As a section of a document."""
        rule = "| --- |" + " ---: |" * (len(self.columns) - 1)
        cells = "\n".join([_line(self.columns), rule, *(_line(row) for row in self.rows)])
        return "\n\n".join(filter(None, [f"## {self.title}", textwrap.fill(self.note, 120), cells]))


def tables(found: Mapping[Case, Result], fairness: Fairness) -> list[Table]:
    """Everything that the benchmark says."""
    return [_throughput(found), _ratios(found), _flatness(found), _promises(fairness), _by_rep(fairness)]


def ratio(found: Mapping[Case, Result], reps: int, replicas: int) -> float:
    """Our rate in the naive consumer's."""
    ours, naive = (found[Case(name, reps, replicas)].median.per_second for name in (OURS, NAIVE))
    return ours / naive


def flatness(found: Mapping[Case, Result], contender: str, replicas: int) -> float:
    """The cost of a lead in the largest team, in that of the smallest."""
    sizes = _sizes(found)
    small, large = (found[Case(contender, reps, replicas)].median.per_second for reps in (sizes[0], sizes[-1]))
    return small / large


def document(made: Sequence[Table], machine: Mapping[str, str], command: str, at: datetime) -> str:
    """The page, all of it from one run."""
    facts = Table("Machine", "", ["", ""], [[name, value] for name, value in machine.items()])
    head = f"# Router benchmark\n\nWritten by `{command}` on {at:%Y-%m-%d}; every figure is of that one run."
    return "\n\n".join([head, _METHOD, *(table.markdown() for table in made), facts.markdown()]) + "\n"


_METHOD = """\
One topic of 12 partitions holds the leads, as CloudEvents of distinct persons; every run reads it from the start into
a fresh database of the same PostgreSQL server. The clock runs from the first commit after every replica has committed
leads to the last one in the window, by PostgreSQL's own commit times; the first commit's leads do not count. Runs of
all cases are interleaved; the figure is the median run, with the slowest and the fastest.

- **relance**: the router's own processes with settings as shipped. It writes lead, assignment, explanation,
  notification, outbox and inbox, and its relay publishes to Kafka. Deliveries are held off: one attempt at a time is
  allowed, and the endpoint never answers it.
- **relance, delivering**: the same, with every rep told by signed webhook at an endpoint that answers 200 at once. The
  router's process, the endpoint and the database share the machine's cores.
- **naive**: aiokafka and bare asyncpg; per lead one transaction of `SELECT … FROM reps ORDER BY last_assigned_at NULLS
  FIRST, id LIMIT 1 FOR UPDATE` (with an index for it), the lead as jsonb, the assignment and the rep's turn, then the
  offset. It does less: no rules, weights, availability, notification, outbox, inbox or explanation. Its turns are not
  even with two replicas: both wait for the same rep's row, then both take that rep.

CPU is of the router's processes and of PostgreSQL's sessions, in milliseconds per lead. Uneven is the rep with most
leads less the rep with fewest, all of the same weight. Others is what processes that are not of the benchmark took of
the machine's processor time: beside much of it, a rate says little."""


def _throughput(found: Mapping[Case, Result]) -> Table:
    rows = [
        [
            case.contender,
            _number(case.reps),
            str(case.replicas),
            _number(result.median.per_second),
            _number(result.slowest),
            _number(result.fastest),
            f"{result.median.cpu:.2f}",
            f"{result.median.database_cpu:.2f}",
            str(result.median.uneven),
            _number(result.median.delivered_per_second) if case.contender == OURS_DELIVERING else "",
            f"{result.median.others:.0%}",
        ]
        for case, result in found.items()
    ]
    columns = ["contender", "reps", "replicas", "leads/s", "slowest", "fastest", "CPU", "PostgreSQL CPU", "uneven"]
    columns += ["webhooks/s", "others"]
    return Table("Throughput", "From the topic to the committed assignment, one team.", columns, rows)


def _ratios(found: Mapping[Case, Result]) -> Table:
    rows = [
        [_number(reps), *(_judged(ratio(found, reps, n), RATIO_WANTED if n == 1 else None) for n in _replicas(found))]
        for reps in _sizes(found)
    ]
    note = f"relance's rate in naive's, with as many replicas. Wanted: {RATIO_WANTED:g} with one."
    return Table("Ratio", note, ["reps", *(f"{n} replica(s)" for n in _replicas(found))], rows)


def _flatness(found: Mapping[Case, Result]) -> Table:
    sizes = _sizes(found)
    rows = [
        [name, *(_judged(flatness(found, name, n), FLATNESS_WANTED, most=True) for n in _replicas(found))]
        for name in (OURS, NAIVE)
    ]
    note = f"Cost of a lead with {sizes[-1]} reps, in that with {sizes[0]}. Wanted: {FLATNESS_WANTED:g} at most."
    return Table("Flatness", note, ["contender", *(f"{n} replica(s)" for n in _replicas(found))], rows)


def _promises(books: Fairness) -> Table:
    rows = {
        "worst |given - share| of the always available, at the end": _judged(
            books.worst_at_end, 1, most=True, digits=4
        ),
        "the same, worst after any single decision": f"{books.worst_over_time:.4f}",
        "leads with two owners": str(books.owned_twice),
        "assignments told of under two notification ids": str(books.told_twice),
        "leads lost": str(books.lost),
        "leads unrouted": str(books.unrouted),
        "changes of who is away": str(books.leaves),
        "declines": _number(books.declines),
        "replicas killed": str(books.kills),
        "webhooks delivered until then": _number(books.delivered),
        "decisions not in the order of their ids": str(books.out_of_order),
        "seconds": f"{books.seconds:.0f}",
    }
    note = (
        f"{len(books.shares.standings)} reps of weights 1 to 5, two replicas, delivering. {len(books.always)} reps are "
        f"always available, the others come and go; {DECLINED:.1%} of leads are declined by API, the last excepted, "
        "so that a turn given back can be taken; replicas are killed with SIGKILL and started again. The share is "
        "added up from the database in exact fractions: weight by weights of all available in the configuration "
        "version that decided. A declined lead counts for who has it in the end; from the decline until the turn is "
        "taken its rep stands one lower, which the second row shows."
    )
    return Table(f"Fairness after {_number(books.leads)} leads", note, ["", ""], [list(row) for row in rows.items()])


def _by_rep(books: Fairness) -> Table:
    rows = [
        [
            rep,
            _number(standing.given),
            f"{float(standing.share):.3f}",
            f"{float(standing.given - standing.share):+.3f}",
        ]
        for rep, standing in books.shares.standings.items()
        if rep in books.always
    ]
    return Table("The always available", "", ["rep", "given", "share", "given - share"], rows)


def _sizes(found: Mapping[Case, Result]) -> list[int]:
    return sorted({case.reps for case in found if case.contender == OURS})


def _replicas(found: Mapping[Case, Result]) -> list[int]:
    return sorted({case.replicas for case in found if case.contender == OURS})


def _judged(value: float, wanted: float | None, *, most: bool = False, digits: int = 2) -> str:
    if wanted is None:
        return f"{value:.{digits}f}"
    met = value <= wanted if most else value >= wanted
    return f"{value:.{digits}f} ({'met' if met else 'NOT MET'})"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"
