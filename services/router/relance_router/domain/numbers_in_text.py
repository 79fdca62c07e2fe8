"""Numbers as people type them into forms."""

import re
from decimal import Decimal

_NUMBER = re.compile(r"([+-]?(?:[0-9]+|[0-9]{1,3}(?:([ \u00a0\u202f'\u2019,])[0-9]{3})(?:\2[0-9]{3})*))(\.[0-9]+)?")
_TEN_OR_TEN_THOUSAND = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
_MOST_CHARACTERS = 40


def number_in(text: str) -> Decimal | None:
    """`10000`, `10 000`, `10,000`, `10'000`, `-3.5`; None for all else.

    None too for what two people read differently: `10.000` is ten to one and ten thousand to another.
    """
    text = text.strip()
    if len(text) > _MOST_CHARACTERS or _TEN_OR_TEN_THOUSAND.fullmatch(text):
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, separator, fraction = found.groups()
    return Decimal((whole.replace(separator, "") if separator else whole) + (fraction or ""))
