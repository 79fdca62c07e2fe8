"""In which language a visitor is spoken to."""

from typing import Literal, get_args

Language = Literal["en", "de"]


def language_of(accept_language: str) -> Language:
    """The one of ours that an `Accept-Language` header likes best; English when it names none (RFC 9110, 12.5.4)."""
    liked: dict[str, float] = {}
    for wish in accept_language.split(","):
        tag, _, quality = wish.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        liked[primary] = max(liked.get(primary, 0.0), _quality(quality))
    ours: tuple[Language, ...] = get_args(Language)
    return max(ours, key=lambda language: liked.get(language, 0.0))


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
