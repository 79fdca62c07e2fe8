"""Whether a rep has what a lead asks for."""

from dataclasses import dataclass

from relance_router.domain.configuration import Configuration, Promise, Rep
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.territories import territories_of


@dataclass(frozen=True)
class Wanted:
    """What the rep of one lead must have. Empty sets ask for nothing."""

    skills: frozenset[str] = frozenset()
    language: str | None = None
    territories: frozenset[str] | None = None
    """The rep must sell in one of these; None when the place does not matter."""

    @property
    def nothing(self) -> bool:
        """Whether it asks for nothing."""
        return not self.skills and self.language is None and self.territories is None


def wanted(configuration: Configuration, promise: Promise, lead: LeadFacts) -> Wanted:
    """What a promise asks for this lead. A lead that does not say its language may go to anybody."""
    require = promise.require
    language = lead.fields.get(require.language, "").casefold() if require.language else ""
    return Wanted(
        skills=frozenset(require.skills),
        # `de-AT` is spoken by whoever speaks `de`.
        language=language.partition("-")[0] or None,
        territories=territories_of(lead, configuration.territories) if require.territory else None,
    )


def lacks(rep: Rep, want: Wanted) -> str | None:
    """What a rep lacks; None when nothing."""
    missing = want.skills - set(rep.skills)
    if missing:
        return f"lacks {', '.join(sorted(missing))}"
    if want.language is not None and want.language not in rep.languages:
        return f"does not speak {want.language}"
    if want.territories is not None and not want.territories & set(rep.territories):
        where = ", ".join(sorted(want.territories)) or "no territory"
        return f"does not sell where the lead is ({where})"
    return None
