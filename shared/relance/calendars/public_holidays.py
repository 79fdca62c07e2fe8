"""The public holidays of a country, as the `holidays` package knows them."""

from collections.abc import Mapping
from datetime import date
from functools import cache, lru_cache
from typing import Self

from holidays import country_holidays, list_supported_countries
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


@cache
def _subdivisions() -> Mapping[str, list[str]]:
    return list_supported_countries(include_aliases=False)


class PublicHolidays(BaseModel):
    """Days on which a whole country, or one part of it, does not work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str = Field(description="ISO 3166-1 alpha-2.")
    subdivision: str | None = Field(None, description="ISO 3166-2 without the country; none: what all parts share.")

    @field_validator("country", "subdivision", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        if not isinstance(value, str | None):
            raise ValueError(f'YAML reads {value!r} here: write the code in quotes, such as "NO" or "9"')
        return value

    @field_validator("country")
    @classmethod
    def _known(cls, country: str) -> str:
        if country not in _subdivisions():
            raise ValueError(f"no holidays are known for {country!r}: write an ISO 3166-1 code such as DE, AT or US")
        return country

    @model_validator(mode="after")
    def _known_subdivision(self) -> Self:
        known = _subdivisions()[self.country]
        if self.subdivision is not None and self.subdivision not in known:
            raise ValueError(
                f"{self.country} has no subdivision {self.subdivision!r}: "
                + (f"write one of {', '.join(known)}" if known else "leave it out")
            )
        return self

    def name(self, day: date) -> str | None:
        """What the holiday of that day is called in the country's own language; None on other days."""
        return _names(self.country, self.subdivision, day.year).get(day)


@lru_cache(maxsize=1024)
def _names(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    # Without a language the package takes the machine's, and two machines would tell one closing differently.
    language = country_holidays(country).default_language
    return dict(country_holidays(country, subdiv=subdivision, years=year, language=language))
