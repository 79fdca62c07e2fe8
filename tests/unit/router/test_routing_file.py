"""Promises of reading routing.yaml: every fault with its line and reason."""

from pathlib import Path

import pytest

from relance_router.configuration.routing_file import ConfigurationRefused, parse

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
"""


def test_a_right_file_is_read() -> None:
    """The sample that other tests break."""
    assert parse(GOOD, "routing.yaml").rules[0].id == "germans"


def test_the_sample_that_we_ship_is_right() -> None:
    """What a newcomer copies must work."""
    sample = Path(__file__).parents[3] / "deploy/config/routing.yaml"
    assert parse(sample.read_text(), sample.name).fallback


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
        ("action: breach", "action: shout", 11, "Input should be"),
        ("webhook: https://reps.example/anna", "webhook: anna", 3, "valid URL"),
        ("    webhook: https://reps.example/anna\n", "", 2, "Field required"),
        ("  - id: anna", "  - id: anna\n    colour: red", 3, "Extra inputs are not permitted"),
        ("  - id: anna", "  - id: anna\n    id: anna", 3, "'id' stands twice here"),
        ("when: { country: [DE, AT] }", "when: { country: [DE, AT }", 14, "not YAML"),
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
    with pytest.raises(ConfigurationRefused) as refused:
        parse(GOOD.replace("rep: anna", "rep: ana").replace("team: dach", "team: asia"), "routing.yaml")
    assert [fault.line for fault in refused.value.found] == [7, 15]


@pytest.mark.parametrize("text", ["", "[]", "just words", "\t", "a: *unknown", "\x00"])
def test_what_is_no_configuration_at_all_is_refused_too(text: str) -> None:
    """Never a traceback."""
    with pytest.raises(ConfigurationRefused):
        parse(text, "routing.yaml")
