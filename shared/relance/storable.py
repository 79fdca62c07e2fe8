"""Text that PostgreSQL can keep."""

from pydantic import AfterValidator


def _without_nul(value: str) -> str:
    # PostgreSQL keeps every character but this one.
    if "\x00" in value:
        raise ValueError("NUL characters are not taken")
    return value


STORABLE = AfterValidator(_without_nul)
"""Annotates text that people send: what cannot be stored is their bad field, not our failure."""
