"""Promises of writing a calendar down: what is right is kept, what is wrong is told so that one can mend it."""

from datetime import date, timedelta
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from relance.calendars import ALWAYS_OPEN, Calendar, Span

GOOD = """\
id: berlin-office
zone: Europe/Berlin
hours: { mon: "09:00-17:30", tue: "13:00-17:30, 09:00-12:00", wed: "22:00-06:00", fri: ["09:00-12:00"], sat: closed }
holidays: { country: DE, subdivision: BY }
overrides: { 2026-12-24: closed, "2026-12-31": "00:00-24:00" }
"""


def span(begin: float, end: float) -> Span:
    return Span(timedelta(hours=begin), timedelta(hours=end))


def read(text: str) -> Calendar:
    return Calendar.model_validate(yaml.safe_load(text))


def test_hours_are_read_as_people_write_them() -> None:
    """As one text or a list, in any order, over midnight, or closed."""
    assert read(GOOD).hours == {
        "mon": (span(9, 17.5),),
        "tue": (span(9, 12), span(13, 17.5)),
        "wed": (span(22, 30),),
        "fri": (span(9, 12),),
        "sat": (),
    }


def test_the_days_of_overrides_may_be_dates_or_text() -> None:
    """YAML makes a date of the unquoted one."""
    assert read(GOOD).overrides == {date(2026, 12, 24): (), date(2026, 12, 31): (span(0, 24),)}


def test_midnight_is_the_same_end_written_as_24_00_or_as_00_00() -> None:
    """Nobody should have to remember which."""
    assert read(GOOD.replace("22:00-06:00", "22:00-00:00")) == read(GOOD.replace("22:00-06:00", "22:00-24:00"))


@pytest.mark.parametrize("calendar", [read(GOOD), ALWAYS_OPEN])
def test_a_calendar_travels_as_json_and_comes_back_the_same(calendar: Calendar) -> None:
    """Events carry it."""
    back = Calendar.model_validate_json(calendar.model_dump_json())
    assert (back, hash(back)) == (calendar, hash(calendar))


@pytest.mark.parametrize("calendar", [read(GOOD), ALWAYS_OPEN])
def test_what_travels_is_what_the_schema_says(calendar: Calendar) -> None:
    """Others read it by the schema."""
    Draft202012Validator(Calendar.model_json_schema()).validate(calendar.model_dump(mode="json"))


def test_every_field_is_described_in_the_schema() -> None:
    """Editors show it while somebody writes the file."""
    schema: dict[str, Any] = Calendar.model_json_schema()
    described = {**schema["properties"], **schema["$defs"]["PublicHolidays"]["properties"]}
    assert all(field["description"] for field in described.values())


@pytest.mark.parametrize(
    ("broken", "by", "path", "reason"),
    [
        ("berlin-office", "Berlin Office", "id", "should match pattern"),
        ("zone: Europe/Berlin", "zone: Europe/Berln", "zone", "write an IANA name such as Europe/Berlin"),
        ("zone: Europe/Berlin", "zone: Europe", "zone", "'Europe' is no time zone: write an IANA name such as"),
        ("zone: Europe/Berlin", "zone: ''", "zone", "'' is no time zone: write an IANA name such as Europe/Berlin"),
        ("zone: Europe/Berlin", "zone: ../Berlin", "zone", "'../Berlin' is no time zone: write an IANA name such as"),
        ("zone: Europe/Berlin\n", "", "zone", "Field required"),
        (
            "mon: ",
            "monday: ",
            "hours.monday.[key]",
            "Input should be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'",
        ),
        ('"09:00-17:30"', '"9-17"', "hours.mon", "'9-17' is no span of working hours: write closed or HH:MM-HH:MM"),
        (
            '"09:00-17:30"',
            '"9:00-17:30"',
            "hours.mon",
            'in quotes, such as "09:00-17:30", or "22:00-06:00" for a night',
        ),
        ('"09:00-17:30"', '"09:00-25:00"', "hours.mon", "'09:00-25:00' is no span"),
        ('"09:00-17:30"', '"24:00-06:00"', "hours.mon", "'24:00-06:00' is no span"),
        ('"09:00-17:30"', '"09:00-12:00,"', "hours.mon", "'' is no span"),
        (
            '"09:00-17:30"',
            "9:00",
            "hours.mon",
            "540 is no span of working hours: write closed or HH:MM-HH:MM in quotes",
        ),
        ('"09:00-17:30"', "[9:00, 17:30]", "hours.mon", "540 is no span of working hours"),
        ('"09:00-17:30"', "off", "hours.mon", "False is no span of working hours: write closed"),
        ('"09:00-17:30"', "", "hours.mon", "None is no span of working hours: write closed"),
        ('"09:00-17:30"', '"09:00-09:00"', "hours.mon", 'ends when it begins: write "00:00-24:00" for a whole day'),
        ("13:00-17:30", "11:30-17:30", "hours.tue", "09:00-12:00 and 11:30-17:30 overlap"),
        ("13:00-17:30", "11:30-06:00", "hours.tue", "09:00-12:00 and 11:30-06:00 overlap"),
        ("country: DE", "country: XX", "holidays.country", "no holidays are known for 'XX': write an ISO 3166-1 code"),
        ("country: DE", "country: NO", "holidays.country", "YAML reads False here: write the code in quotes"),
        ("subdivision: BY", "subdivision: 9", "holidays.subdivision", "YAML reads 9 here: write the code in quotes"),
        ("subdivision: BY", "subdivision: XY", "holidays", "DE has no subdivision 'XY': write one of BB, BE, BW, BY"),
        ("DE, subdivision: BY", "SG, subdivision: BY", "holidays", "SG has no subdivision 'BY': leave it out"),
        (
            "2026-12-24",
            "24.12.2026",
            "overrides.24.12.2026.[key]",
            "'24.12.2026' is no day: write it such as 2026-12-24",
        ),
        ("2026-12-24", "20261224", "overrides.20261224.[key]", "'20261224' is no day: write it such as 2026-12-24"),
        ("2026-12-24", "2026-12-24 00:00:00", "overrides.2026-12-24 00:00:00.[key]", "is no day"),
        ("2026-12-24: closed", "2026-12-24: open", "overrides.2026-12-24", "'open' is no span of working hours"),
        ("id:", "colour: red\nid:", "colour", "Extra inputs are not permitted"),
    ],
)
def test_every_fault_is_told_with_its_place_and_reason(broken: str, by: str, path: str, reason: str) -> None:
    """One fault at a time, in a calendar that is right otherwise."""
    assert broken in GOOD
    with pytest.raises(ValidationError) as refused:
        read(GOOD.replace(broken, by, 1))
    (fault,) = refused.value.errors()
    assert ".".join(str(part) for part in fault["loc"]) == path
    assert reason in fault["msg"]
