"""What rehearsals tell: tables for people, documents for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from relance_router.command_line.output import console
from relance_router.domain.configuration import in_words
from relance_router.domain.simulation import Comparison, Difference, Holds, Report, RepShare

NOT_REHEARSED = (
    "Every team's line begins empty, nobody has a lead in hand and no person is known before the first lead.",
    "Reps answer and decline as they did, or as was made up, whoever they are; an offered lead is claimed at once.",
    "A lead that nobody has answered yet counts as missed, before and after.",
    "`same_person` is not rehearsed: leads that joined another are left out, before and after; all others are routed.",
    "Pauses, and reassignments of leads that a rep ignores, are not rehearsed.",
)
"""What a rehearsal does not know."""

_APART = {"first_owners", "timeline"}


def document(report: Report) -> dict[str, Any]:
    """A report, durations in seconds."""
    named = {each.name: getattr(report, each.name) for each in fields(report) if each.name not in _APART}
    return {
        **named,
        "by_rule": _sorted(report.by_rule),
        "by_team": _sorted(report.by_team),
        "by_rep": _sorted(report.by_rep),
        "missed_by_team": _sorted(report.missed_by_team),
        "worst_share": report.worst_share,
        "shares": [_plain(each) for each in report.shares],
        "holds": [_plain(each) for each in report.holds],
    }


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """A comparison."""
    lists = ("reps", "teams", "rules", "windows_missed", "held")
    told = {name: [{**_plain(each), "gain": each.gain} for each in getattr(comparison, name)] for name in lists}
    return {"leads": comparison.leads, "moved": comparison.moved, **told}


def show(report: Report) -> None:
    """Print a report."""
    console.print(
        f"{report.leads:,} leads: {report.assigned:,} have an owner, {report.waiting:,} still wait. "
        f"{report.declined:,} times one was declined, {report.offered:,} times offered. "
        f"Windows: {report.windows_kept:,} kept, {report.windows_missed:,} missed."
    )
    for title, counts in (("rule", report.by_rule), ("team", report.by_team)):
        table = _table(title, numbers=["leads"])
        for name, leads in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            table.add_row(Text(name), f"{leads:,}")
        console.print(table)
    _show_shares(report)
    if report.holds:
        table = _table("team", numbers=["held", "median", "longest", "still wait"])
        for each in report.holds:
            table.add_row(Text(each.team), f"{each.held:,}", _time(each.median), _time(each.longest), str(each.waiting))
        console.print(table)
    _show_what_is_not_known()


def show_comparison(comparison: Comparison, before: Report, after: Report) -> None:
    """Print what a change would have done."""
    console.print(f"{comparison.moved:,} of {comparison.leads:,} leads would have gone to another rep first.")
    for title, differences in (("rep", comparison.reps), ("team", comparison.teams), ("rule", comparison.rules)):
        _show_differences(title, "leads", differences)
    _show_differences("team", "windows missed", comparison.windows_missed)
    _show_differences("team", "leads that waited", comparison.held)
    longest = [_longest(before.holds), _longest(after.holds)]
    if any(longest):
        console.print(f"The longest wait: {_time(longest[0])} before, {_time(longest[1])} after.")
    waiting = before.waiting, after.waiting
    if any(waiting):
        console.print(f"Still waiting at the end: {waiting[0]:,} before, {waiting[1]:,} after.")
    _show_what_is_not_known()


def _show_shares(report: Report) -> None:
    table = _table("team", "rep", numbers=["weight", "given", "share", "off by", "at worst", "leads in all"])
    for each in report.shares:
        numbers = (f"{each.given:,}", f"{each.share:,.2f}", f"{each.given - each.share:+,.2f}", f"{each.worst:,.2f}")
        in_all = f"{report.by_rep.get(each.rep, 0):,}"
        table.add_row(Text(each.team), Text(each.rep), str(each.weight), *numbers, in_all)
    console.print(table)
    console.print(
        "Who is always here and gets leads by turns alone is never off by a whole lead; declined leads, known owners, "
        "and what leads ask of reps come before turns."
    )


def _show_differences(title: str, what: str, differences: Sequence[Difference]) -> None:
    changed = [each for each in differences if each.gain]
    if not changed:
        console.print(f"No {title} would have had more or fewer {what}.")
        return
    table = _table(title, numbers=[f"{what} before", "after", "change"])
    for each in changed:
        table.add_row(Text(each.name), f"{each.before:,}", f"{each.after:,}", f"{each.gain:+,}")
    console.print(table)


def _show_what_is_not_known() -> None:
    console.print("What a rehearsal does not know:")
    for sentence in NOT_REHEARSED:
        console.print(f"  - {sentence}")


def _longest(holds: Sequence[Holds]) -> timedelta:
    return max((each.longest for each in holds), default=timedelta())


def _time(duration: timedelta) -> str:
    return in_words(timedelta(seconds=round(duration.total_seconds())))


def _table(*titles: str, numbers: Sequence[str]) -> Table:
    return Table(*titles, *(Column(title, justify="right", no_wrap=True) for title in numbers))


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _plain(record: RepShare | Holds | Difference) -> dict[str, Any]:
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in asdict(record).items()
    }
