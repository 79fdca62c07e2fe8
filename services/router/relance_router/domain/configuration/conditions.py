"""What a rule may ask of a lead: fields compared by operators, nested by all, any and none.

Everything is compared without regard to case. A field that the lead does not have fails whatever is asked of it, but
for `exists: false`.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from relance_router.domain import comparisons
from relance_router.domain.comparisons import Comparison
from relance_router.domain.configuration.field_types import (
    Document,
    Domain,
    Filled,
    Name,
    Stated,
    Text,
    Texts,
    YesNo,
    as_list,
    drop_null,
    stated,
    without_null,
)
from relance_router.domain.configuration.received import Received
from relance_router.domain.configuration.territories import Postal
from relance_router.domain.lead_facts import LANGUAGE_FIELDS, POSTAL_CODE_FIELDS, SCORE_FIELDS

FORM_FIELD = "fields."
"""What stands before the name of a form's own field."""


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("write a number, without quotes")
    return value


def _pattern(written: str) -> str:
    comparisons.compiled(written)
    return written


Number = Annotated[float, BeforeValidator(_number, json_schema_input_type=float), Field(allow_inf_nan=False)]
Pattern = Annotated[Text, AfterValidator(_pattern)]
Domains = Annotated[Filled[Domain], BeforeValidator(as_list, json_schema_input_type=Domain | Filled[Domain])]
Postals = Annotated[Filled[Postal], BeforeValidator(as_list, json_schema_input_type=Postal | Filled[Postal])]
Names = Annotated[Filled[Name], BeforeValidator(as_list, json_schema_input_type=Name | Filled[Name])]


class Operators(Document):
    """How one field is compared. Every operator given must hold; of a list, any value will do."""

    model_config = without_null

    equals: Stated[Text] = Field(None, description="Is this text.")
    in_: Stated[Filled[Text]] = Field(None, alias="in", description="Is one of these.")
    prefix: Stated[Texts] = Field(None, description="Begins with it.")
    suffix: Stated[Texts] = Field(None, description="Ends in it.")
    contains: Stated[Texts] = Field(None, description="Has it somewhere.")
    matches: Stated[Pattern] = Field(
        None, description="An RE2 pattern, found anywhere unless it has ^ and $.", examples=[r"^EK-\d+$"]
    )
    at_least: Stated[Number] = Field(None, description="Is a number, and not less.")
    at_most: Stated[Number] = Field(None, description="Is a number, and not more.")
    above: Stated[Number] = Field(None, description="Is a number, and more.")
    below: Stated[Number] = Field(None, description="Is a number, and less.")
    domain: Stated[Domains] = Field(None, description="Is this domain, or a part of it.", examples=["example.com"])
    postal: Stated[Postals] = Field(
        None, description="Is in a range of postal codes, or begins with a prefix.", examples=["80000-87999", "8"]
    )
    exists: Stated[YesNo] = Field(None, description="Whether the lead has the field at all.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            possible = ", ".join(field.alias or name for name, field in Operators.model_fields.items())
            raise ValueError(f"say how to compare it: {possible}")
        if self.exists is False and len(self.model_fields_set) > 1:
            raise ValueError("exists: false leaves nothing to compare")
        return self

    @cached_property
    def by_operator(self) -> Mapping[str, Comparison]:
        """What the field's value must hold against; nothing for `exists` alone."""
        given = ((name, compile_, getattr(self, name)) for name, compile_ in comparisons.OPERATORS.items())
        return {name: compile_(operand) for name, compile_, operand in given if operand is not None}

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The same, without the operators."""
        return tuple(self.by_operator.values())

    @cached_property
    def values(self) -> frozenset[str] | None:
        """The only values that can hold, case folded; None when equality is not asked for."""
        named = [{self.equals}] if self.equals is not None else []
        named += [set(self.in_)] if self.in_ is not None else []
        folded = [frozenset(value.casefold() for value in values) for values in named]
        return frozenset.intersection(*folded) if folded else None


class Membership(Document):
    """In which territories the lead is; it may be in several."""

    model_config = without_null

    in_: Stated[Names] = Field(None, alias="in", description="In one of these at least.")
    exists: Stated[YesNo] = Field(None, description="Whether it is in any.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say which territories: in, exists")
        if self.exists is False and self.in_:
            raise ValueError("exists: false leaves no territory to be in")
        return self


def _as_operators(value: object) -> object:
    if isinstance(value, list | tuple):
        return {"in": value}
    return value if isinstance(value, dict | Operators) else {"equals": stated(value)}


def _as_membership(value: object) -> object:
    if isinstance(value, dict | Membership):
        return value
    return {"in": as_list(stated(value))}


def _form_field(name: str) -> str:
    if not is_lead_field(name):
        possible = ", ".join(LEAD_FIELDS)
        raise ValueError(
            f"{name!r} is no field of a lead: use {possible}, territory, received, fields.<name>, or all, any, none"
        )
    return name


def _condition_schema(schema: dict[str, Any]) -> None:
    drop_null(schema)
    schema["patternProperties"] = {rf"^{re.escape(FORM_FIELD)}.": schema["additionalProperties"]}
    schema["additionalProperties"] = False


# An alias with a name, for the schema to say it once.
Compared = TypeAliasType(
    "Compared",
    Annotated[Operators | None, BeforeValidator(_as_operators, json_schema_input_type=Text | Filled[Text] | Operators)],
)
"""A value, a list of which any will do, or operators."""
Located = Annotated[
    Membership | None, BeforeValidator(_as_membership, json_schema_input_type=Name | Filled[Name] | Membership)
]


class Condition(Document):
    """Holds when every entry does."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_condition_schema)
    __pydantic_extra__: dict[Annotated[str, AfterValidator(_form_field)], Compared]

    all: Stated[Filled["Condition"]] = Field(None, description="Every one of these holds.")
    any: Stated[Filled["Condition"]] = Field(None, description="At least one of these holds.")
    none: Stated[Filled["Condition"]] = Field(None, description="Not one of these holds.")
    received: Stated[Received] = Field(None, description="When the lead came in.")
    territory: Located = Field(None, description="In which of `territories` the lead is.")
    source: Compared = Field(None, description="Which source sent it.")
    channel: Compared = Field(None, description="form, call or partner.")
    campaign: Compared = None
    country: Compared = Field(None, description="As given, else that of the phone number: `DE`.")
    phone_country: Compared = Field(None, description="The country of the phone number: `DE`.")
    company: Compared = None
    email_domain: Compared = Field(None, description="What stands behind the @.")
    call_status: Compared = Field(None, description="answered, missed or voicemail.")
    called_number: Compared = Field(None, description="E.164: `+49301234567`.")
    language: Compared = Field(
        None, description=f"The form's first of {', '.join(LANGUAGE_FIELDS)}, as ISO 639-1 code: `de`."
    )
    postal_code: Compared = Field(None, description=f"The form's first of {', '.join(POSTAL_CODE_FIELDS)}.")
    score: Compared = Field(None, description=f"The form's first of {', '.join(SCORE_FIELDS)}.")

    @cached_property
    def compared(self) -> tuple[tuple[str, Operators], ...]:
        """Each field that is compared, and how."""
        named = [(name, getattr(self, name)) for name in LEAD_FIELDS]
        return tuple((name, how) for name, how in [*named, *self.__pydantic_extra__.items()] if how is not None)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every field that is compared here or in a nested condition."""
        nested = [*(self.all or ()), *(self.any or ()), *(self.none or ())]
        return frozenset(name for name, _ in self.compared).union(*(each.mentioned for each in nested))


_NO_FIELDS = ("all", "any", "none", "received", "territory")
LEAD_FIELDS = tuple(name for name in Condition.model_fields if name not in _NO_FIELDS)
"""The fields that every lead may have, beside those of its form."""


def is_lead_field(name: str) -> bool:
    """Whether a lead may have such a field."""
    return name in LEAD_FIELDS or (name.startswith(FORM_FIELD) and name != FORM_FIELD)
