"""Promises of reading routing.yaml: every fault with its line and reason."""

from pathlib import Path

import pytest

from relance_router.configuration.routing_file import ConfigurationRefused, check, parse
from relance_router.domain.configuration import Severity

SAMPLE = Path(__file__).parents[3] / "deploy/config/routing.yaml"
GOOD = """\
reps:
  - id: anna
    webhook: https://reps.example/anna
teams:
  - id: dach
    manager: https://reps.example/boss
    members: [{ rep: anna, weight: 2 }]
escalation_policies:
  - id: standard
    steps:
      - { name: breach, action: breach, at: 100% }
rules:
  - id: germans
    when: { country: [DE, AT] }
    team: dach
    respond_within: 5m
    escalation: standard
fallback:
  team: dach
  respond_within: 30m
  escalation: standard
"""


def test_a_right_file_is_read() -> None:
    """The sample that other tests break."""
    assert parse(GOOD, "routing.yaml").rules[0].id == "germans"


def test_the_sample_that_we_ship_is_right() -> None:
    """What a newcomer copies must work, and nothing is to be said about it."""
    checked = check(SAMPLE.read_text(), SAMPLE.name)
    assert checked.configuration
    assert checked.sentences == ()


def test_a_configuration_survives_being_written_and_read() -> None:
    """As JSON, which is YAML too."""
    configuration = parse(SAMPLE.read_text(), SAMPLE.name)
    written = configuration.model_dump_json(by_alias=True, exclude_unset=True)
    assert parse(written, "written.json") == configuration


@pytest.mark.parametrize(
    ("broken", "by", "line", "reason"),
    [
        ("rep: anna, weight", "rep: ana, weight", 7, "there is no rep 'ana'"),
        ("weight: 2", "weight: 0", 7, "greater than or equal to 1"),
        ("team: dach", "team: asia", 15, "there is no team 'asia'"),
        ("escalation: standard", "escalation: strict", 17, "there is no escalation policy 'strict'"),
        ("respond_within: 5m", "respond_within: soon", 16, "'soon' is no duration"),
        ("respond_within: 5m", "respond_within: 0s", 16, "longer than nothing"),
        ("at: 100%", "at: 1", 11, "such as 50%"),
        ("country: [DE, AT]", "contry: DE", 14, "'contry' is no field of a lead"),
        (
            "country: [DE, AT]",
            "country: { is: DE }",
            14,
            "when.country.is: 'is' is not known here: use equals, in, prefix",
        ),
        ("country: [DE, AT]", "company: { matches: '(' }", 14, "no RE2 pattern: missing )"),
        ("country: [DE, AT]", "country: [DE,\n      true]", 15, "put it in quotes"),
        ("country: [DE, AT]", "any: [{ country: DE },\n      { sorce: web }]", 15, "'sorce' is no field"),
        ("action: breach", "action: shout", 11, "Input should be"),
        ("webhook: https://reps.example/anna", "webhook: anna", 3, "valid URL"),
        ("    webhook: https://reps.example/anna\n", "", 2, "give a way to tell them"),
        (
            "  - id: anna",
            "  - id: anna\n    colour: red",
            3,
            "'colour' is not known here: use webhook, slack, teams, email, id, name",
        ),
        ("  - id: anna", "  - id: anna\n    id: anna", 3, "'id' stands twice here"),
        ("when: { country: [DE, AT] }", "when: { country: [DE, AT }", 14, "not YAML"),
        ("respond_within: 5m", "respond_within: 999999999999d", 16, "longer than can be counted"),
        ("at: 100%", "at: 0.5", 11, "such as 50%"),
        ("  respond_within: 30m\n", "", 18, "fallback.respond_within: Field required"),
    ],
)
def test_every_fault_is_told_with_its_line_and_reason(broken: str, by: str, line: int, reason: str) -> None:
    """One fault at a time, in a file that is right otherwise."""
    assert broken in GOOD
    with pytest.raises(ConfigurationRefused) as refused:
        parse(GOOD.replace(broken, by, 1), "routing.yaml")
    (fault,) = refused.value.found
    assert reason in fault.reason
    assert (fault.line, f"routing.yaml:{line}: " in str(refused.value)) == (line, True)


def test_all_faults_are_told_at_once() -> None:
    """Nobody wants to mend a file one error at a time."""
    broken = GOOD.replace("rep: anna", "rep: ana").replace("    team: dach", "    team: asia")
    assert [fault.line for fault in check(broken, "routing.yaml").errors] == [7, 15]
    broken = GOOD.replace("weight: 2", "weight: 0").replace("respond_within: 5m", "respond_within: soon")
    assert [fault.line for fault in check(broken, "routing.yaml").found] == [7, 16]


def test_a_warning_is_told_and_the_file_runs() -> None:
    """Somebody on the list who gets no leads is worth a word, and no reason to stop."""
    text = GOOD.replace("teams:", "  - id: ben\n    webhook: https://reps.example/ben\nteams:", 1)
    checked = check(text, "routing.yaml")
    assert checked.sentences == ("routing.yaml:4: warning: rep 'ben' is in no team and gets no leads",)
    assert checked.configuration == parse(text, "routing.yaml")


def test_a_refusal_names_errors_only() -> None:
    """Warnings do not hide what is to be mended; a check tells both, in the order of lines."""
    text = GOOD.replace("teams:", "  - id: ben\n    webhook: https://reps.example/ben\nteams:", 1)
    text = text.replace("    team: dach", "    team: asia")
    with pytest.raises(ConfigurationRefused) as refused:
        parse(text, "routing.yaml")
    assert str(refused.value) == "routing.yaml:17: there is no team 'asia'"
    checked = check(text, "routing.yaml")
    assert checked.configuration is None
    assert [fault.severity for fault in checked.found] == [Severity.WARNING, Severity.ERROR]


def test_a_fault_about_two_places_names_both_lines() -> None:
    """One is where to look, the other is why."""
    text = GOOD.replace("fallback:", GOOD[GOOD.index("  - id: germans") : GOOD.index("fallback:")] + "fallback:")
    double, unreachable = check(text, "routing.yaml").sentences
    assert double == "routing.yaml:18: error: 'germans' is defined twice in rules (line 13)"
    assert unreachable.startswith("routing.yaml:18: error: rule 'germans' is never reached: ")
    assert unreachable.endswith(" (line 13)")


@pytest.mark.parametrize(
    ("written", "read"),
    [("NO", "NO"), ("01067", "01067"), ("12:30", "12:30"), ("7", "7"), ("2026-01-02", "2026-01-02")],
)
def test_values_are_what_they_look_like(written: str, read: str) -> None:
    """As YAML 1.2 has it, and editors: Norway is no `false`, and a postal code keeps its zero."""
    text = GOOD.replace("country: [DE, AT]", f"country: {written}")
    country = parse(text, "routing.yaml").rules[0].when.country
    assert country
    assert country.equals == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just words",
        "\t",
        "a: *unknown",
        "\x00",
        "&a [*a]",
        "? [a]\n: b",
        "a: " + "[" * 5000,
        "reps: &a [*a]",
        "a: !!int x",
        "- 1\n---\n- 2",
    ],
)
def test_what_is_no_configuration_at_all_is_refused_too(text: str) -> None:
    """Never a traceback."""
    with pytest.raises(ConfigurationRefused):
        parse(text, "routing.yaml")
