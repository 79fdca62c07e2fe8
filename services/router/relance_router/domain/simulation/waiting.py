"""Leads that wait in a rehearsal, in lines of those that the same reps could have.

A lead waits exactly while none of the reps who could have it is here, so that whoever comes back is asked for the
oldest lead that they could have, and no lead is tried in vain.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Case = TypeVar("Case")


class Waiting(Generic[Case]):
    """The lines."""

    def __init__(self) -> None:
        self._lines: dict[frozenset[str], deque[tuple[int, Case]]] = {}
        self._lines_of: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        self._order = count()

    def add(self, case: Case, able: frozenset[str]) -> None:
        """A lead begins to wait for one of the reps who are able."""
        if able not in self._lines:
            self._lines[able] = deque()
            for rep in able:
                self._lines_of[rep].append(able)
        self._lines[able].append((next(self._order), case))

    def for_those(self, back: Collection[str]) -> Iterator[Case]:
        """Take out who waits for one of these, the oldest first; `back` may shrink meanwhile."""
        lines = {able for rep in back for able in self._lines_of.get(rep, ()) if self._lines[able]}
        heads = [(self._lines[able][0][0], able) for able in lines]
        heapify(heads)
        while heads and back:
            _, able = heappop(heads)
            if able.isdisjoint(back):
                continue
            line = self._lines[able]
            _, case = line.popleft()
            if line:
                heappush(heads, (line[0][0], able))
            yield case
