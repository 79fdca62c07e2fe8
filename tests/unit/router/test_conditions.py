"""Promises of conditions: what each operator holds for, and how a failure is told."""

import operator
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.router.configurations import MONDAY_NOON, lead

from relance.calendars import Calendar
from relance_router.domain.conditions import Circumstances, failure
from relance_router.domain.configuration import Condition

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
OFFICE = Calendar.model_validate({"id": "office", "zone": "Europe/Berlin", "hours": {"mon": "09:00-17:00"}})

words = st.sampled_from(["a", "ab", "AB", "ba", "b.a", "x.b.a", "ß", "SS", "7", "-3", "1 000", "12.50"])
numbers = st.sampled_from([-3, 7, 7.5, 12.5, 1000])
some_words = st.lists(words, min_size=1, max_size=3)
names = st.sampled_from(["country", "fields.x"])
operators = st.one_of(
    words,
    some_words,
    st.dictionaries(st.sampled_from(["prefix", "suffix", "contains"]), st.one_of(words, some_words), min_size=1),
    st.dictionaries(st.sampled_from(["at_least", "at_most", "above", "below"]), numbers, min_size=1),
    st.fixed_dictionaries({"equals": words, "exists": st.just(True)}),
    st.fixed_dictionaries({"in": some_words}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"domain": st.sampled_from(["b.a", ["b.a", "c.a"]])}),
)
territories = st.one_of(
    st.sampled_from(["north", ["north", "south"]]), st.fixed_dictionaries({"exists": st.booleans()})
)
flat = st.fixed_dictionaries({}, optional={"country": operators, "fields.x": operators, "territory": territories})
documents = st.recursive(
    flat,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={key: st.lists(inner, min_size=1, max_size=2) for key in ("all", "any", "none")}
        | {"country": operators},
    ),
    max_leaves=6,
)
fields = st.dictionaries(names, words)
places = st.frozensets(st.sampled_from(["north", "south"]))

NUMBERS = {"7": 7, "-3": -3, "1 000": 1000, "12.50": 12.5}
COMPARE = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def expected_of_field(how: Any, actual: str | None) -> bool:
    """The oracle for one field."""
    if not isinstance(how, dict):
        how = {"in": as_list(how)}
    if actual is None:
        return bool(how == {"exists": False})
    text = actual.casefold()

    def one(name: str, operand: Any) -> bool:
        if name == "exists":
            return bool(operand)
        if name in COMPARE:
            return actual in NUMBERS and bool(COMPARE[name](NUMBERS[actual], operand))
        wanted = [each.casefold() for each in as_list(operand)]
        right: dict[str, bool] = {
            "equals": text in wanted,
            "in": text in wanted,
            "prefix": any(text[: len(each)] == each for each in wanted),
            "suffix": any(text[-len(each) :] == each for each in wanted),
            "contains": any(len(text.split(each)) > 1 for each in wanted),
            "domain": any(text.split(".")[-2:] == each.split(".") for each in wanted),
        }
        return right[name]

    return all(one(name, operand) for name, operand in how.items())


def expected(when: dict[str, Any], given_fields: dict[str, str], located: frozenset[str]) -> bool:
    """The oracle: the plain data of routing.yaml, interpreted."""
    for name, how in when.items():
        if name in ("all", "any", "none"):
            results = [expected(each, given_fields, located) for each in how]
            right = {"all": all(results), "any": any(results), "none": not any(results)}[name]
        elif name == "territory":
            right = bool(located) == how["exists"] if isinstance(how, dict) else bool(located & set(as_list(how)))
        else:
            right = expected_of_field(how, given_fields.get(name))
        if not right:
            return False
    return True


def failed(
    when: dict[str, Any],
    given_fields: dict[str, str] | None = None,
    located: frozenset[str] = frozenset(),
    at: datetime = MONDAY_NOON,
) -> str | None:
    circumstances = Circumstances(lead(given_fields or {}, at), located, {"office": OFFICE})
    return failure(Condition.model_validate(when), circumstances)


@given(documents, fields, places)
def test_a_condition_holds_as_its_plain_data_says(
    when: dict[str, Any], given_fields: dict[str, str], located: frozenset[str]
) -> None:
    """Against an oracle that interprets the document anew each time."""
    assert (failed(when, given_fields, located) is None) == expected(when, given_fields, located)


@given(documents)
def test_a_condition_survives_being_written_and_read(when: dict[str, Any]) -> None:
    """Stored configurations are what was configured."""
    condition = Condition.model_validate(when)
    written = condition.model_dump_json(by_alias=True, exclude_unset=True)
    assert Condition.model_validate_json(written) == condition


@given(
    st.lists(st.sampled_from(["a", "b", "[ab]", "a*", "b+", "(ab|ba)", ".", "^", "$", "a?", "x{1,2}"]), min_size=1),
    st.text("abxAB", max_size=6),
)
def test_a_pattern_matches_as_the_standard_library_says(parts: list[str], text: str) -> None:
    """For what both engines understand; anywhere in the text, without regard to case."""
    pattern = "".join(parts)
    found = re.search(pattern, text, re.IGNORECASE)
    assert (failed({"company": {"matches": pattern}}, {"company": text}) is None) == (found is not None)


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a{2000}"])
def test_a_pattern_that_could_take_for_ever_or_is_none_is_refused_with_the_reason(pattern: str) -> None:
    """RE2 has no look-around and no back references; that is why it is fast."""
    with pytest.raises(ValidationError, match="is no RE2 pattern: "):
        Condition.model_validate({"company": {"matches": pattern}})


def test_text_that_cannot_be_encoded_fails_a_pattern_and_nothing_else() -> None:
    """Half a surrogate pair in a form field stops nobody's routing."""
    assert failed({"company": {"matches": "^x$"}}, {"company": "\ud800"})


@pytest.mark.parametrize(
    ("text", "at_least"),
    [
        ("10000", 10000),
        ("10 000", 10000),
        ("10\u00a0000", 10000),
        ("10'000", 10000),
        ("1,234,567.5", 1234567.5),
        (" 7.25 ", 7.25),
        ("+3", 3),
        ("0.125", 0.125),
    ],
)
def test_numbers_are_read_as_people_type_them(text: str, at_least: float) -> None:
    """With a thousands separator; exactly, and not a bit more."""
    assert failed({"score": {"at_least": at_least, "at_most": at_least}}, {"score": text}) is None
    assert failed({"score": {"above": at_least}}, {"score": text})


@pytest.mark.parametrize("text", ["20k", "10.000", "1,5", "ten", "", "1 00", "12 345 67", "1e3", "NaN", "٣", "9" * 60])
def test_what_is_no_number_or_may_be_two_fails_and_says_so(text: str) -> None:
    """10.000 is ten to one person, and ten thousand to another."""
    for operators in ({"at_least": -1000}, {"below": 10**9}):
        reason = failed({"fields.budget": operators}, {"fields.budget": text})
        assert reason
        assert ", wanted a number " in reason


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_numbers_compare_as_numbers(one: int, other: int) -> None:
    """Also with thousands separators in them."""
    for text in (str(one), f"{one:,}", f"{one:,}".replace(",", " ")):
        for name, holds in COMPARE.items():
            assert (failed({"score": {name: other}}, {"score": text}) is None) == holds(one, other)


@given(
    st.integers(0, 2 * 365 * 24 * 60),
    st.integers(0, 47),
    st.integers(0, 47),
    st.sets(st.sampled_from(DAYS), min_size=1),
)
def test_a_time_of_day_is_that_of_the_wall_and_its_night_belongs_to_the_day_it_began_on(
    minutes: int, first: int, end: int, days: set[str]
) -> None:
    """Against walking back, minute by minute of the wall, to when the span began."""
    if first == end:
        end += 1
    begin, stop = (f"{half // 2:02}:{30 * (half % 2):02}" for half in (first, end))
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    wall = at.astimezone(BERLIN).replace(tzinfo=None)
    length = timedelta(minutes=30 * ((end - first) % 48 or 48))
    began = wall.replace(hour=first // 2, minute=30 * (first % 2), second=0, microsecond=0)
    if began > wall:
        began -= timedelta(days=1)
    within = wall < began + length and DAYS[began.weekday()] in days
    received = {"time": f"{begin}-{stop}", "days": sorted(days), "zone": "Europe/Berlin"}
    assert (failed({"received": received}, at=at) is None) == within


def test_a_lead_may_be_asked_whether_somebody_was_at_work() -> None:
    """By the hours and holidays of a calendar."""
    evening = MONDAY_NOON + timedelta(hours=8)
    assert failed({"received": {"during": "office"}}) is None
    assert failed({"received": {"outside": "office"}}, at=evening) is None
    assert failed({"received": {"outside": "office"}}) == "received during office, wanted outside of it"
    assert failed({"received": {"during": "office"}}, at=evening) == "received outside of office, wanted during it"


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ({"country": ["FR", "BE"]}, "country is DE, wanted FR or BE"),
        ({"campaign": {"prefix": "spring"}}, "campaign is not given, wanted beginning with spring"),
        ({"campaign": {"exists": True}}, "campaign is not given, wanted given"),
        ({"country": {"exists": False}}, "country is DE, wanted not given"),
        ({"fields.budget": {"at_least": 10000}}, "fields.budget is 20k, wanted a number of at least 10000"),
        ({"postal_code": {"postal": "10000-19999"}}, "postal_code is 80331, wanted in the postal range 10000-19999"),
        ({"email_domain": {"domain": "b.com"}}, "email_domain is a.gmail.com, wanted in the domain b.com"),
        ({"territory": "south"}, "territory is north, wanted south"),
        ({"all": [{"country": "DE"}, {"source": "web"}]}, "source is not given, wanted web"),
        (
            {"any": [{"country": "FR"}, {"all": [{"source": "web"}]}]},
            "any of: country is DE, wanted FR; source is not given, wanted web",
        ),
        (
            {"none": [{"country": "FR"}, {"email_domain": {"domain": "gmail.com"}}]},
            "none of: email_domain is a.gmail.com, which is excluded",
        ),
        (
            {"none": [{"any": [{"country": "FR"}, {"country": "DE", "territory": "north"}]}]},
            "none of: country is DE and territory is north, which is excluded",
        ),
        (
            {"received": {"time": "18:00-08:00", "days": ["sat", "sun"], "zone": "Europe/Berlin"}},
            "received mon 13:00 in Europe/Berlin, wanted 18:00-08:00 on sat or sun",
        ),
        (
            {"none": [{"received": {"days": "mon", "zone": "Europe/Berlin"}}]},
            "none of: received mon 13:00 in Europe/Berlin, which is excluded",
        ),
    ],
)
def test_a_failure_says_which_condition_failed_and_what_was_there(when: dict[str, Any], reason: str) -> None:
    """Also from within nested ones."""
    given_fields = {"country": "DE", "email_domain": "a.gmail.com", "fields.budget": "20k", "postal_code": "80331"}
    assert failed(when, given_fields, frozenset(["north"])) == reason


def test_a_failure_quotes_no_more_than_a_line_of_what_somebody_wrote() -> None:
    """Neither a novel in a form field nor a list of a thousand companies."""
    reason = failed({"company": [f"company {number}" for number in range(1000)]}, {"company": "x" * 10_000})
    assert reason
    assert reason.startswith(f"company is {'x' * 59}…, wanted company 0 or ")
    assert reason.endswith(" or one of 995 more")
    reason = failed({"any": [{"source": "a"}] * 50})
    assert reason == "any of: " + "source is not given, wanted a; " * 5 + "and 45 more"


@pytest.mark.parametrize(
    ("when", "place", "reason"),
    [
        ({"contry": "DE"}, ("contry",), "'contry' is no field of a lead: use source, "),
        ({"fields.": "x"}, ("fields.",), "is no field of a lead"),
        ({"any": [{"all": [{"sorce": "x"}]}]}, ("any", 0, "all", 0, "sorce"), "is no field of a lead"),
        ({"any": []}, ("any",), "must not be empty"),
        ({"country": None}, ("country",), "has no value"),
        ({"country": {"equals": None}}, ("country", "equals"), "has no value"),
        ({"country": []}, ("country", "in"), "must not be empty"),
        ({"country": ["DE", True]}, ("country", "in", 1), "put it in quotes"),
        ({"country": {"is": "DE"}}, ("country", "is"), "Extra inputs"),
        ({"country": {}}, ("country",), "say how to compare it: equals, in, "),
        ({"country": {"exists": False, "equals": "DE"}}, ("country",), "nothing to compare"),
        ({"score": {"above": "5"}}, ("score", "above"), "write a number"),
        ({"email_domain": {"domain": "@x"}}, ("email_domain", "domain", 0), "pattern"),
        ({"postal_code": {"postal": "87999-80000"}}, ("postal_code", "postal", 0), "ends before it begins"),
        ({"territory": {"prefix": "x"}}, ("territory", "prefix"), "Extra inputs"),
        ({"received": {"time": "18-8", "zone": "UTC"}}, ("received", "time"), "18-8"),
        ({"received": {"time": "18:00-08:00"}}, ("received",), "want a zone"),
        ({"received": {"zone": "UTC"}}, ("received",), "say when"),
    ],
)
def test_a_wrong_condition_is_told_with_its_place(when: dict[str, Any], place: tuple[object, ...], reason: str) -> None:
    """The key that is wrong, not the rule around it."""
    with pytest.raises(ValidationError) as refused:
        Condition.model_validate(when)
    (fault,) = refused.value.errors()
    assert fault["loc"] == place
    assert reason in fault["msg"]
