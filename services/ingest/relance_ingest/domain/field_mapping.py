"""What a form's fields are to a lead, so that a form that exists needs no change."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal, get_args

from relance_ingest.domain.campaign_fields import CAMPAIGN_FIELDS, campaign_fields
from relance_ingest.domain.contact_details import known_country
from relance_ingest.domain.submissions import LONGEST_LINE, LONGEST_NAME

Target = Literal["name", "email", "phone", "company", "country", "campaign"]
_TARGETS: tuple[Target, ...] = get_args(Target)
_JOINED: Target = "name"
_ODD = re.compile(r"[\s=&\x00]+")


@dataclass(frozen=True)
class FieldMapping:
    """`names`: what the form calls a lead's field; a lead's own name for it always counts too. Case does not matter."""

    names: Mapping[Target, tuple[str, ...]] = field(default_factory=dict)
    ignored: Set[str] = frozenset()


@dataclass(frozen=True)
class MappedForm:
    """A form as a lead."""

    lead: dict[str, str]
    fields: dict[str, str]
    """Whatever else the form asked."""
    campaign: dict[str, str]
    """Where the person came from."""
    called: Mapping[str, str]
    """The form's own name for each name in `lead` and `fields`, to tell its maker what is wrong with which."""


def mapped(form: Mapping[str, str], mapping: FieldMapping) -> MappedForm:
    """Sort a form's fields. Blank ones, which browsers send for what was left out, count as not given.

    A lead's field takes the first of its names that is filled in; a person's name takes all of them in their order,
    joined by spaces (first name, last name). All that has no place there is kept, and so is a country that is no code:
    nobody who fills in a form knows it.
    """
    ignored = {name.casefold() for name in mapping.ignored}
    left = {name: value for name, value in form.items() if value.strip() and name.strip().casefold() not in ignored}
    campaign = campaign_fields(left)
    lead: dict[str, str] = {}
    called: dict[str, str] = {}
    for target in _TARGETS:
        taken = chosen(left, target, found(left, mapping.names.get(target, ())) or found(left, (target,)))
        if taken:
            lead[target] = " ".join(left.pop(name).strip() for name in taken)
            called[target] = taken[0]
    if "utm_campaign" in campaign:
        lead.setdefault("campaign", campaign["utm_campaign"][:LONGEST_LINE])
    fields: dict[str, str] = {}
    for name, value in left.items():
        if name.strip().casefold() in CAMPAIGN_FIELDS:
            continue
        kept_as = _free(_plain(name), fields.keys() | campaign.keys())
        fields[kept_as] = value
        called.setdefault(kept_as, name)  # a lead's field goes before its namesake
    return MappedForm(lead, fields, campaign, called)


def chosen(form: Mapping[str, str], target: Target, names: list[str]) -> list[str]:
    """Which of these fields become the lead's: the first; of a name all; none if it is a country that is no code."""
    taken = names if target == _JOINED else names[:1]
    return [] if taken and target == "country" and not known_country(form[taken[0]]) else taken


def found(form: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """The form's spellings of these names, in the names' order, each once."""
    spelt: dict[str, str] = {}
    for name in form:
        spelt.setdefault(name.strip().casefold(), name)
    wanted = dict.fromkeys(name.strip().casefold() for name in names)
    return [spelt[name] for name in wanted if name in spelt]


def _plain(name: str) -> str:
    """The name as rules can ask for it: `Your message` is `Your_message`.

    A form's maker chooses names by other rules than ours, and whoever fills it in cannot mend them: no name is refused.
    """
    return _ODD.sub("_", name.strip())[:LONGEST_NAME] or "_"


def _free(name: str, taken: Set[str]) -> str:
    """The name, or the first of `name_2`, `name_3` ... that is not taken."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        ending = f"_{count}"
        candidate = name[: LONGEST_NAME - len(ending)] + ending
    return candidate
