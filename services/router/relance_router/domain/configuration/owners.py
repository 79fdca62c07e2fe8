"""Whose a lead is before anybody's turn: named accounts, and people and companies that a rep knows already."""

from typing import Literal

from pydantic import Field

from relance_router.domain.configuration.field_types import Document, Domain, Filled, Name, Window


class Account(Document):
    """A company with a named owner."""

    id: Name
    owner: Name = Field(description="The rep who gets its leads while available.")
    domains: Filled[Domain] = Field(description="Mail domains of the company; subdomains are included.")


class SamePerson(Document):
    """Somebody who comes again while they are being spoken with is no new lead, but a touch of the one there is."""

    within: Window = Field(
        "7d", validate_default=True, description="How long after the lead, or its newest touch, was heard of."
    )
    except_sources: tuple[Name, ...] = Field(
        (), description="Sources whose leads stand alone: they join no other, and none joins them."
    )

    def stands_alone(self, source: str) -> bool:
        """Whether leads of a source neither join nor are joined."""
        return source.casefold() in self.except_sources


class Stickiness(Document):
    """Whoever had a lead of the same person or company gets the next one, while available."""

    by: tuple[Literal["person", "company"], ...] = ("person", "company")
    within: Window = Field("90d", validate_default=True, description="How long after the last lead.")
    public_domains: tuple[Domain, ...] = Field(
        (), description="Mail domains that are no company's, beside the large free ones, which are known."
    )
