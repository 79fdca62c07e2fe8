"""What the benchmark adds up is what was due."""

from fractions import Fraction

from tests.bench.shares import Given, Standing, shares

BOTH = {"anna": 2, "ben": 1}


def test_each_lead_is_shared_by_the_weights_of_those_present() -> None:
    """Of two leads the second came while Ben was away: Anna is due 2/3 and a whole one."""
    found = shares([Given("ben", BOTH), Given("anna", {"anna": 2})], watched=["anna"])
    assert found.standings == {"anna": Standing(1, Fraction(5, 3)), "ben": Standing(1, Fraction(1, 3))}
    assert found.worst(["anna"]) == Fraction(2, 3)


def test_a_declined_lead_counts_once_for_who_has_it_in_the_end() -> None:
    """And adds to nobody's share again."""
    found = shares([Given("anna", BOTH), Given("ben", BOTH, taken_from="anna")], watched=["anna"])
    assert found.standings == {"anna": Standing(0, Fraction(2, 3)), "ben": Standing(1, Fraction(1, 3))}


def test_the_worst_over_time_is_remembered_when_it_is_made_good() -> None:
    """Three leads by turns end with everybody at their share; after the second Anna was 2/3 over."""
    found = shares([Given("anna", BOTH), Given("anna", BOTH), Given("ben", BOTH)], watched=["anna", "ben"])
    assert found.worst(["anna", "ben"]) == 0
    assert found.worst_over_time == Fraction(2, 3)
