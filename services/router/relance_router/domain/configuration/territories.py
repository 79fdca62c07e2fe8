"""Where a lead is, for reps who sell by place."""

from typing import Annotated

from pydantic import Field, StringConstraints

from relance_router.domain.configuration.field_types import Document, Filled, Name

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
PostalRange = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9 ]+(-[A-Z0-9 ]+)?$")]


class Territory(Document):
    """A lead is in it when its country is listed and, if postal ranges are, its postal code is in one of them."""

    id: Name
    countries: Filled[Country] = Field(description="ISO 3166-1 alpha-2: `DE`.")
    postal: tuple[PostalRange, ...] = Field(
        (), description="Ranges such as `80000-87999`, or a prefix such as `8`; none: the whole country."
    )
