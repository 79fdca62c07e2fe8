"""What dividing an erasure into parts promises."""

from hypothesis import given
from hypothesis import strategies as st

from relance.ids import LeadId
from relance_ingest.domain.erasure import parts


@given(leads=st.dictionaries(st.uuids().map(LeadId), st.sampled_from(["a", "b", "c"])), first=st.integers(0, 1000))
def test_every_lead_is_in_one_part_with_its_own_key(leads: dict[LeadId, str], first: int) -> None:
    """Parts are numbered without a gap."""
    found = parts(leads.items(), first=first)
    assert [part.number for part in found] == list(range(first, first + len(set(leads.values()))))
    assert {lead_id: part.key for part in found for lead_id in part.lead_ids} == leads
    assert sum(len(part.lead_ids) for part in found) == len(leads)
