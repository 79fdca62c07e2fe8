"""Whether one condition can only hold when another does.

Sound but not complete: True is certain, False means that it cannot be told from what is written. Patterns are only
compared with themselves; everything else is decided on the operands, and on every value where equality names them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from relance_router.domain.configuration.conditions import Condition, Membership, Operators
from relance_router.domain.postal_codes import postal_range

_MOST_CASES = 20
_DEPTH = 2


def implies(premise: Condition, goal: Condition) -> bool:
    """Whether `goal` holds for every lead for which `premise` does."""
    facts = tuple(_parts(premise))
    # Most pairs of rules ask for different things, which is told at once.
    asked = {name for part in _parts(goal) for name, _ in part.compared}
    return asked <= premise.mentioned and _follows(facts, goal, _DEPTH)


def _parts(condition: Condition) -> Iterator[Condition]:
    """The condition and what it asks for by `all`: every one of them holds when it does."""
    yield condition
    for each in condition.all or ():
        yield from _parts(each)


def _follows(facts: Sequence[Condition], goal: Condition, depth: int) -> bool:
    if _holds(facts, goal):
        return True
    return depth > 0 and any(
        all(_follows((*facts, *_parts(case)), goal, depth - 1) for case in cases) for cases in _cases(facts, goal)
    )


def _cases(facts: Sequence[Condition], goal: Condition) -> Iterator[Sequence[Condition]]:
    """Lists of conditions of which one holds at least, and which may say what the facts leave open."""
    open_ = {
        name
        for part in _parts(goal)
        for name, operators in part.compared
        if not _compared(_about(facts, name), operators)
    }
    for fact in facts:
        if fact.any and len(fact.any) <= _MOST_CASES and all(open_ <= case.mentioned for case in fact.any):
            yield fact.any
    if open_:
        return
    asked = {name for each in goal.any or () for name, _ in each.compared}
    for name in sorted(asked):
        for operators in _about(facts, name):
            if operators.values and 1 < len(operators.values) <= _MOST_CASES:
                yield [Condition.model_validate({name: value}) for value in sorted(operators.values)]


def _holds(facts: Sequence[Condition], goal: Condition) -> bool:
    return goal in facts or (
        all(_compared(_about(facts, name), operators) for name, operators in goal.compared)
        and (goal.territory is None or _located([each.territory for each in facts if each.territory], goal.territory))
        and (goal.received is None or any(each.received == goal.received for each in facts))
        and all(_holds(facts, each) for each in goal.all or ())
        and (goal.any is None or any(_holds(facts, each) for each in goal.any))
        and all(_excluded(facts, each) for each in goal.none or ())
    )


def _excluded(facts: Sequence[Condition], case: Condition) -> bool:
    """Whether `case` holds for no lead for which the facts do."""
    parts = tuple(_parts(case))
    return (
        any(_holds(parts, each) for fact in facts for each in fact.none or ())
        or any(_contradict(_about(facts, name), operators) for name, operators in case.compared)
        or any(_excluded(facts, each) for each in case.all or ())
        or (case.any is not None and all(_excluded(facts, each) for each in case.any))
        or any(_holds(facts, each) for each in case.none or ())
    )


def _about(facts: Sequence[Condition], name: str) -> list[Operators]:
    return [operators for fact in facts for field, operators in fact.compared if field == name]


def _compared(facts: Sequence[Operators], goal: Operators) -> bool:
    if goal.exists is False:
        return any(each.exists is False for each in facts)
    there = [each for each in facts if each.exists is not False]
    return bool(there) and all(
        any(_at_every_value(each, name, goal) or _operand_follows(each, name, goal) for each in there)
        for name in goal.by_operator
    )


def _contradict(facts: Sequence[Operators], case: Operators) -> bool:
    there = [each for each in facts if each.exists is not False]
    if case.exists is False:
        return bool(there)
    return len(there) < len(facts) or any(_no_value(each, case) or _no_value(case, each) for each in there)


def _no_value(one: Operators, other: Operators) -> bool:
    """Whether `other` refuses each value that `one` names."""
    return one.values is not None and all(
        any(_at(value, name, other) is False for name in other.by_operator) for value in one.values
    )


def _at_every_value(fact: Operators, name: str, goal: Operators) -> bool:
    return fact.values is not None and all(_at(value, name, goal) is True for value in fact.values)


def _at(value: str, name: str, operators: Operators) -> bool | None:
    """Whether one of the operators holds for every spelling of a value; None when there is no telling."""
    # To a pattern "ß" is not "ss"; to all else it is.
    return None if name == "matches" else operators.by_operator[name].holds(value)


def _operand_follows(fact: Operators, name: str, goal: Operators) -> bool:
    """Whether the fact's own operators make the goal's operator hold."""
    wanted = getattr(goal, name)
    if name in _TEXT:
        return any(_each_of(getattr(fact, had), wanted, holds) for had, holds in _TEXT[name])
    if name == "postal":
        return fact.postal is not None and {*map(postal_range, fact.postal)} <= {*map(postal_range, wanted)}
    if name == "matches":
        return fact.matches == goal.matches
    if name in ("at_least", "above"):
        return _beyond(_bounds(fact.at_least, fact.above), wanted, name == "above")
    if name in ("at_most", "below"):
        # The same with the number line turned round.
        turned = [(-limit, strict) for limit, strict in _bounds(fact.at_most, fact.below)]
        return _beyond(turned, -wanted, name == "below")
    return False


_TEXT: Mapping[str, Sequence[tuple[str, Callable[[str, str], bool]]]] = {
    "prefix": [("prefix", str.startswith)],
    "suffix": [("suffix", str.endswith)],
    "contains": [("prefix", str.__contains__), ("suffix", str.__contains__), ("contains", str.__contains__)],
    "domain": [("domain", lambda had, wanted: f".{had}".endswith(f".{wanted}"))],
}
"""For an operator, the operators that make it hold, and how their operands must compare."""


def _each_of(had: Sequence[str] | None, wanted: Sequence[str], holds: Callable[[str, str], bool]) -> bool:
    return had is not None and all(any(holds(one.casefold(), other.casefold()) for other in wanted) for one in had)


def _bounds(inclusive: float | None, strict: float | None) -> list[tuple[float, bool]]:
    return [(limit, is_strict) for limit, is_strict in ((inclusive, False), (strict, True)) if limit is not None]


def _beyond(bounds: Sequence[tuple[float, bool]], wanted: float, strictly: bool) -> bool:
    return any(limit > wanted or (limit == wanted and (strict or not strictly)) for limit, strict in bounds)


def _located(facts: Sequence[Membership], goal: Membership) -> bool:
    if goal.exists is False:
        return any(each.exists is False for each in facts)
    if goal.in_ is not None:
        return any(each.in_ is not None and set(each.in_) <= set(goal.in_) for each in facts)
    return any(each.exists or each.in_ is not None for each in facts)
