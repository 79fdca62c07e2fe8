"""CSV as RFC 4180 writes it, which spreadsheets may open without running what it says."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_PIECE = 500


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and the rows, some hundred lines a piece."""
    lines = chain([header], rows)
    while piece := list(islice(lines, _PIECE)):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_cell(value) for value in row] for row in piece)
        yield text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    # A spreadsheet takes text that begins so for a formula (CWE-1236); an apostrophe in front makes it text.
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUNS) else value
