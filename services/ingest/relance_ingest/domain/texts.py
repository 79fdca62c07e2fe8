"""What a submission's text shows of its sender: links, a disposable mailbox, and whether it is the same text again."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable

_LINK = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
SHORTEST_TEXT = 20
"""Letters and digits of a text that can be somebody's own: many people write "please call me"."""


def links_in(texts: Iterable[str]) -> int:
    """How many links stand in running text. A text that is one address by itself (a website, a referrer) has none."""
    return sum(len(_LINK.findall(text)) for text in texts if len(text.split()) > 1)


def is_disposable(email: str, domains: Collection[str], *, blocked: Collection[str], allowed: Collection[str]) -> bool:
    """Whether the address's domain, or one that it is part of, is among those known as disposable or blocked.

    The most exact name decides: `allowed` may except a part of what is blocked, and the other way round.
    """
    name = email.rpartition("@")[2].casefold()
    while name:
        if name in allowed:
            return False
        if name in blocked or name in domains:
            return True
        name = name.partition(".")[2]
    return False


def text_hash(source: str, texts: Iterable[str]) -> bytes | None:
    """SHA-256 of what was written, however it was spaced, punctuated or capitalised; None when that is too short."""
    folded = unicodedata.normalize("NFKC", " ".join(texts)).casefold()
    written = "".join(character for character in folded if character.isalnum())
    return hashlib.sha256(f"{source}\0{written}".encode()).digest() if len(written) >= SHORTEST_TEXT else None
