"""The promise that the router, which tells deadlines to reps, and the SLA monitor, which holds them to these, agree."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.assignments import assignment_made
from tests.unit.router.company import MONDAY_NOON
from tests.unit.router.test_terms import moments, terms

from relance.events import AssignmentMade, AssignmentTermsChanged
from relance.ids import AssignmentId, LeadId, new_id
from relance_router.domain.terms import CLOCKS, Terms, moved
from relance_sla_monitor.domain.clocks import change_terms, missing, start

changes = st.lists(st.tuples(moments, terms()), max_size=5, unique_by=lambda change: change[0]).map(
    lambda found: sorted(found, key=lambda change: change[0])
)


def made(promised: Terms) -> AssignmentMade:
    return assignment_made(
        MONDAY_NOON,
        response_window=promised.windows["response"],
        contact_window=promised.windows.get("contact"),
        disposition_window=promised.windows.get("disposition"),
        calendar=promised.calendar,
        escalation=promised.steps,
    )


def changed(terms: Terms, at: datetime, revision: int) -> AssignmentTermsChanged:
    return AssignmentTermsChanged(
        assignment_id=AssignmentId(new_id()),
        lead_id=LeadId(new_id()),
        rep="anna",
        team="t",
        revision=revision,
        changed_at=at,
        because="configuration",
        response_window=terms.whole_windows["response"],
        contact_window=terms.whole_windows.get("contact"),
        disposition_window=terms.whole_windows.get("disposition"),
        extended=dict(terms.extended),
        holds=terms.holds,
        calendar=terms.calendar,
        escalation=terms.steps,
        configuration=1,
    )


@given(terms(), changes)
def test_after_any_changes_both_sides_have_the_same_deadlines(
    first: Terms, changes: Sequence[tuple[datetime, Terms]]
) -> None:
    """Of every clock, told by the events alone, as they come off the wire."""
    promised = replace(first, extended={}, holds=())
    told = promised.deadlines(MONDAY_NOON)
    clocks = list(start(made(promised)))
    for revision, (at, then) in enumerate(changes, 1):
        told = moved(told, then, MONDAY_NOON, at, CLOCKS)
        wire = changed(then, at, revision).model_dump_json()
        event = AssignmentTermsChanged.model_validate_json(wire)
        begun = missing(clocks, event)
        clocks = [*(change_terms(clock, event) for clock in clocks), *begun]
        assert {clock.name: clock.deadline for clock in clocks} == told
