"""Postal codes in ranges and by prefix, over all the ways in which they are written.

Spaces, hyphens, case and a country before the code (`D-80331`, `LV-1010`) make no difference.
"""

import re
from dataclasses import dataclass

_COUNTRY = re.compile(r"[A-Z]{1,3}-(?=[0-9])")
_NOTHING = re.compile(r"[^A-Z0-9-]+")
_LEADING_DIGITS = re.compile(r"[0-9]*")


@dataclass(frozen=True)
class PostalCode:
    """A code without spaces and hyphens."""

    characters: str
    numbers: frozenset[str]
    """What a range of numbers is compared with: `1000-001` of Portugal is 1000 as well as 1000001."""


@dataclass(frozen=True)
class PostalRange:
    """Every code from `first` to `last`, both included; without `last`, every code that begins with `first`.

    A number is compared with numbers of as many digits only: Vienna's 1010 is not between Berlin's 10000 and 10999.
    With letters, as many characters of the code are compared as the range has, digits with digits.
    """

    first: str
    last: str | None = None

    def __contains__(self, code: PostalCode) -> bool:
        if self.last is None:
            return code.characters.startswith(self.first)
        if self.first.isdigit():
            return any(len(number) == len(self.first) and self.first <= number <= self.last for number in code.numbers)
        characters = code.characters[: len(self.first)]
        return _shape(characters) == _shape(self.first) and self.first <= characters <= self.last

    def meets(self, other: "PostalRange") -> bool:
        """Whether some code may be in both."""
        short, long = sorted((self, other), key=lambda each: len(each.first))
        length = len(short.first)
        if short.last is not None and long.last is None:
            return postal_code(long.first) in short
        if short.last is not None and short.first.isdigit() and long.first[length:].isdigit():
            return False
        first, last = long.first[:length], (long.last or long.first)[:length]
        return _shape(first) == _shape(short.first) and max(first, short.first) <= min(last, short.last or short.first)


def postal_code(text: str) -> PostalCode:
    """The code that somebody wrote."""
    # Case is folded first, so that whatever is equal without regard to case is the same code.
    written = _COUNTRY.sub("", _NOTHING.sub("", text.casefold().upper()), count=1)
    head, hyphen, _ = written.partition("-")
    characters = written.replace("-", "")
    numbers = {_LEADING_DIGITS.match(characters)[0]}  # type: ignore[index]  # matches nothing at least
    if hyphen and head.isdigit():
        numbers.add(head)
    return PostalCode(characters, frozenset(numbers - {""}))


def postal_range(text: str) -> PostalRange:
    """The range that stands in routing.yaml: `80000-87999`, or the prefix `8`.

    Raises:
        ValueError: it is none.
    """
    first, dash, last = (_NOTHING.sub("", part.upper()) for part in text.partition("-"))
    if not first or "-" in last or bool(dash) != bool(last):
        raise ValueError(f"{text!r} is no postal range: write it such as 80000-87999, or a prefix such as 8")
    if not dash:
        return PostalRange(first)
    if _shape(first) != _shape(last):
        raise ValueError(f"{text!r}: write both ends with as many characters, digits in the same places")
    if first > last:
        raise ValueError(f"{text!r} ends before it begins")
    return PostalRange(first, last)


def _shape(characters: str) -> tuple[bool, ...]:
    return tuple(character.isdigit() for character in characters)
