"""Where a lead is, for reps who sell by place."""

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from relance_router.domain.configuration.field_types import Document, Filled, Name, Text
from relance_router.domain.postal_codes import PostalRange, postal_range


def _postal(written: str) -> str:
    postal_range(written)
    return written


Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Postal = Annotated[Text, AfterValidator(_postal)]
"""A range of postal codes, or a prefix."""


class Territory(Document):
    """A lead is in it when its country is listed and, if postal ranges are, its postal code is in one of them."""

    id: Name
    countries: Filled[Country] = Field(description="ISO 3166-1 alpha-2: `DE`.")
    postal: tuple[Postal, ...] = Field(
        (), description="Ranges such as `80000-87999`, or a prefix such as `8`; none: the whole country."
    )

    @cached_property
    def ranges(self) -> tuple[PostalRange, ...]:
        """The postal ranges, read."""
        return tuple(postal_range(written) for written in self.postal)
