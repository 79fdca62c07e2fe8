"""What rehearsals tell: tables for people, documents for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from relance_router.command_line.output import console
from relance_router.domain.configuration import in_words
from relance_router.domain.simulation import Comparison, Difference, Holds, Report, RepShare, SimulatedLead

NOT_REHEARSED = (
    "Every team's line begins empty, nobody has a lead in hand and no person is known before the first lead.",
    "Reps answer and decline as they did, or as was made up, whoever they are; an offered lead is claimed at once.",
    "A lead that nobody has answered yet counts as missed, before and after.",
    "A lead is over, and joined by nobody more, when sales said so, counted from its receipt; a made-up one never is.",
    "A lead that had joined another, and does not here, is answered as soon as the other was.",
    "Pauses, leads that were separated by hand, and reassignments of leads that a rep ignores, are not rehearsed.",
)
"""What a rehearsal does not know."""

MOST_SHOWN = 20
"""Lines of the longest lists."""

_APART = {"first_owners", "timeline", "joined_to"}


def document(report: Report, leads: Sequence[SimulatedLead]) -> dict[str, Any]:
    """A report on these leads, durations in seconds."""
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
        "joins": _joins(report, leads),
    }


def comparison_document(comparison: Comparison, leads: Sequence[SimulatedLead]) -> dict[str, Any]:
    """A comparison on these leads."""
    lists = ("reps", "teams", "rules", "windows_missed", "held")
    told = {name: [{**_plain(each), "gain": each.gain} for each in getattr(comparison, name)] for name in lists}
    joins = _changed_joins(comparison, leads)
    return {"leads": comparison.leads, "moved": comparison.moved, "joins": joins, **told}


def show(report: Report, leads: Sequence[SimulatedLead]) -> None:
    """Print a report on these leads."""
    console.print(
        f"{report.leads:,} leads: {report.assigned:,} have an owner, {report.waiting:,} still wait, "
        f"{report.joined:,} joined another. "
        f"{report.declined:,} times one was declined, {report.offered:,} times offered. "
        f"Windows: {report.windows_kept:,} kept, {report.windows_missed:,} missed."
    )
    for title, counts in (("rule", report.by_rule), ("team", report.by_team)):
        table = _table(title, numbers=["leads"])
        for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            table.add_row(Text(name), f"{count:,}")
        console.print(table)
    _show_shares(report)
    if report.holds:
        table = _table("team", numbers=["held", "median", "longest", "still wait"])
        for each in report.holds:
            table.add_row(Text(each.team), f"{each.held:,}", _time(each.median), _time(each.longest), str(each.waiting))
        console.print(table)
    _show_some([f"Lead {each['lead']} joined {each['joined']}." for each in _joins(report, leads)])
    _show_unknown_keys(report)
    _show_what_is_not_known()


def show_comparison(comparison: Comparison, before: Report, after: Report, leads: Sequence[SimulatedLead]) -> None:
    """Print what a change would have done to these leads."""
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
    if before.joined or after.joined:
        console.print(f"Joined another lead: {before.joined:,} before, {after.joined:,} after.")
    _show_some(
        [
            f"Lead {each['lead']} joined {each['before'] or 'no other'} before, {each['after'] or 'no other'} after."
            for each in _changed_joins(comparison, leads)
        ]
    )
    _show_unknown_keys(max(before, after, key=lambda each: each.keys_unknown))
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


def _show_some(sentences: Sequence[str]) -> None:
    for sentence in sentences[:MOST_SHOWN]:
        console.print(f"  - {sentence}")
    if len(sentences) > MOST_SHOWN:
        console.print(f"  - And {len(sentences) - MOST_SHOWN:,} more: --json lists all.")


def _joins(report: Report, leads: Sequence[SimulatedLead]) -> list[dict[str, str | None]]:
    """Which past lead joined which."""
    return [
        {"lead": leads[place].name, "joined": leads[other].name}
        for place, other in enumerate(report.joined_to)
        if other is not None and leads[place].name
    ]


def _changed_joins(comparison: Comparison, leads: Sequence[SimulatedLead]) -> list[dict[str, str | None]]:
    names: dict[int | None, str | None] = {None: None}
    names.update(enumerate(lead.name for lead in leads))
    return [
        {"lead": names[each.place], "before": names[each.before], "after": names[each.after]}
        for each in comparison.joins
    ]


def _show_unknown_keys(report: Report) -> None:
    if report.keys_unknown:
        console.print(
            f"Leads whose person's keys are not known, as they or their file are of old: {report.keys_unknown:,}. "
            "They were routed, and nobody joined them."
        )


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
