"""Sales, marketing and managers read the same numbers: in metrics, on the board and on scorecards."""

from datetime import timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import Monitor, answered, assigned
from tests.integration.test_figures import numbers

from relance.clock import utc_now
from relance.database import Database
from relance.events import AssignmentEnded, AssignmentMade, LeadJoined
from relance.ids import LeadId, new_id
from relance_sla_monitor.board.reading import read_facts
from relance_sla_monitor.figures import Figures
from relance_sla_monitor.scorecards.question import Question
from relance_sla_monitor.scorecards.reader import Scorecards

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def agreed_numbers(database: Database) -> dict[str, float]:
    """Windows kept and missed and first answers, which everybody has to say alike, of assignments within 14 hours."""
    figures = Figures(database, MINUTE)
    await figures.count()
    metrics = numbers(figures.collect(), clock="response")
    now = utc_now()
    # Where it is afternoon: all of it has been today.
    facts = await read_facts(database, ZoneInfo(f"Etc/GMT{max(now.hour - 18, -14):+d}"))
    question = Question(now.date() - 2 * DAY, now.date() + 2 * DAY, per="assignment")
    (row,) = await Scorecards(database).sales(question)
    told: dict[str, dict[str, float]] = {
        "metrics": {
            "kept": metrics["windows_kept_total"],
            "missed": metrics["windows_breached_total"] - metrics["breaches_withdrawn_total"],
            "answers": metrics.get("response_seconds_count", 0),
        },
        "board": {
            "kept": sum(team.kept_today for team in facts.standings),
            "missed": sum(team.breached_today for team in facts.standings),
            "answers": sum(hour.answers for hour in facts.hours if hour.team is None),
        },
        "scorecard": {
            name: float(row.figures[figure] or 0)
            for name, figure in (("kept", "in_window"), ("missed", "out_of_window"), ("answers", "answered"))
        },
    }
    assert told["metrics"] == told["board"] == told["scorecard"]
    return told["metrics"]


def ended(made: AssignmentMade, after: timedelta, reason: str) -> AssignmentEnded:
    return AssignmentEnded.model_validate(
        {
            "assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": made.rep, "reason": reason,
            "ended_at": made.assigned_at + after,
        }
    )  # fmt: skip


async def test_everybody_is_told_the_same_numbers_of_the_same_leads(open_database: OpenDatabase) -> None:
    """Whoever gives a lead back, has it taken away or erased has not answered; a touch is no lead of sales."""
    monitor = Monitor(open_database("sla"))
    fresh, kept, late, forgotten = (
        assigned(MINUTE),
        assigned(15 * MINUTE),
        assigned(15 * MINUTE),
        assigned(3 * 60 * MINUTE),
    )
    endings = [
        (assigned(15 * MINUTE), after, reason)
        for reason in ("declined", "reassigned", "erased")
        for after in (MINUTE / 12, 12 * MINUTE)
    ]
    await monitor.handle(fresh, kept, late, forgotten, *(made for made, _, _ in endings))
    await monitor.timers.fire_due()
    assert (await agreed_numbers(monitor.database))["kept"] == 0
    await monitor.handle(answered(kept, MINUTE, "contacted"), answered(late, 12 * MINUTE, "contacted"))
    await monitor.handle(
        *(answered(made, after, "declined") for made, after, reason in endings if reason == "declined"),
        *(ended(*each) for each in endings),
        LeadJoined(
            lead_id=LeadId(new_id()), joined=kept.lead_id, source="fairs", channel="form", campaign="autumn",
            recognised_by=("email",), received_at=utc_now(), joined_at=utc_now(),
        ),
    )  # fmt: skip
    # Late: answered, three that were given back, taken away and erased after the deadline, and one forgotten.
    assert await agreed_numbers(monitor.database) == {"kept": 1, "missed": 5, "answers": 2}
    today = utc_now().date()
    (row,) = await Scorecards(monitor.database).marketing(Question(today - DAY, today + 2 * DAY, side="marketing"))
    figures = Figures(monitor.database, MINUTE)
    await figures.count()
    assert numbers(figures.collect(), source="fairs")["touches_total"] == row.figures["touches"] == 1


async def test_an_answer_counts_alike_whatever_is_heard_of_first(open_database: OpenDatabase) -> None:
    """The rep answers after two minutes, a manager takes the lead away after three: topics come in any order."""
    monitor = Monitor(open_database("sla"))
    orders = list(permutations(range(3)))
    for order in orders:
        made = assigned(4 * MINUTE)
        news = (made, answered(made, 2 * MINUTE, "contacted"), ended(made, 3 * MINUTE, "reassigned"))
        for place in order:
            await monitor.handle(news[place])
    assert await agreed_numbers(monitor.database) == {"kept": len(orders), "missed": 0, "answers": len(orders)}
    figures = Figures(monitor.database, MINUTE)
    await figures.count()
    assert numbers(figures.collect(), clock="response")["response_seconds_sum"] == len(orders) * 120
