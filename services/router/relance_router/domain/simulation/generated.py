"""Made-up leads for rehearsals: what the rules ask for, mixed with what they do not, all from one seed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from relance_router.domain.configuration import Configuration
from relance_router.domain.configuration.conditions import Condition, Operators
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.postal_codes import postal_range
from relance_router.domain.simulation.leads import SimulatedLead

MENTIONED, OTHER = 0.6, 0.2
"""How often a field has a value that a rule names, and one that none does; else the lead does not have it."""
KNOWN_PERSON, KNOWN_COMPANY, KNOWN_DOMAIN = 0.1, 0.2, 0.3
"""How often a lead comes from somebody who came before; else from a company of which somebody did, or from a mail
domain that a rule or account names or that is everybody's.
"""
MEDIAN_ANSWER, SPREAD = timedelta(minutes=8), 1.2
"""Answers are log-normal: the median, and the standard deviation of the natural logarithm."""
NEVER_ANSWERED, DECLINED = 0.02, 0.04
WEEKEND = 0.2
"""Leads of a Saturday or Sunday, for each of another day."""
HOURS = (2, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 20, 16, 18, 20, 19, 17, 14, 11, 10, 9, 8, 6, 4)
"""Leads in each hour of a day, relative to each other."""

_PRIVATE = ("gmail.com", "web.de", "gmx.de")
_COUNTRIES = ("DE", "AT", "CH", "FR", "GB", "US")


def generate(
    configuration: Configuration, count: int, *, begin: date, days: int, random: Random
) -> list[SimulatedLead]:
    """`count` leads over `days` days, in order of receipt; the working day is that of the first calendar's zone.

    What `matches` asks for is not made up: only the pattern's owner knows what it is for.
    """
    values = _values(configuration)
    people = _People(configuration, values.pop("email_domain", []), random)
    moments = _moments(configuration, count, begin, days, random)
    return [_lead(moment, people, values, random) for moment in moments]


def _lead(moment: datetime, people: "_People", values: Mapping[str, Sequence[str]], random: Random) -> SimulatedLead:
    identity, email_domain = people.somebody()
    fields = {"email_domain": email_domain}
    for name, mentioned in values.items():
        chance = random.random()
        if chance < MENTIONED or name in {"source", "channel"}:
            fields[name] = random.choice(mentioned)
        elif chance < MENTIONED + OTHER:
            fields[name] = random.choice(_COUNTRIES) if name.endswith("country") else str(random.randrange(100))
    answered_after = MEDIAN_ANSWER * random.lognormvariate(0, SPREAD)
    return SimulatedLead(
        LeadFacts(identity, moment, fields),
        None if random.random() < NEVER_ANSWERED else answered_after,
        int(random.random() < DECLINED),
        frozenset({identity}),
    )


class _People:
    """Who leads come from."""

    def __init__(self, configuration: Configuration, asked: Sequence[str], random: Random) -> None:
        self._random = random
        self._known: list[tuple[str, str]] = []
        owned = [domain for account in configuration.accounts for domain in account.domains]
        self._domains = [*owned, *asked, *_PRIVATE]

    def somebody(self) -> tuple[str, str]:
        """A person's pseudonym and mail domain."""
        if self._known and self._random.random() < KNOWN_PERSON:
            return self._random.choice(self._known)
        person = f"person-{len(self._known)}", self._domain()
        self._known.append(person)
        return person

    def _domain(self) -> str:
        chance = self._random.random()
        if self._known and chance < KNOWN_COMPANY:
            return self._random.choice(self._known)[1]
        if chance < KNOWN_COMPANY + KNOWN_DOMAIN:
            return self._random.choice(self._domains)
        return f"company-{len(self._known)}.example"


def _moments(configuration: Configuration, count: int, begin: date, days: int, random: Random) -> list[datetime]:
    zone = ZoneInfo(configuration.calendars[0].zone if configuration.calendars else "UTC")
    hours = [
        datetime.combine(begin + timedelta(days=day), time(hour), zone) for day in range(days) for hour in range(24)
    ]
    weights = [HOURS[at.hour] * (WEEKEND if at.weekday() >= 5 else 1) for at in hours]  # noqa: PLR2004 - Saturday
    begins = [at.astimezone(UTC) for at in hours]
    return sorted(at + timedelta(seconds=random.uniform(0, 3600)) for at in random.choices(begins, weights, k=count))


def _values(configuration: Configuration) -> dict[str, list[str]]:
    """What rules, territories and requirements ask for, by field."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for rule in configuration.rules:
        for name, value in _asked(rule.when):
            found[name].add(value)
    for territory in configuration.territories:
        found["country"].update(territory.countries)
        found["postal_code"].update(end for each in territory.ranges for end in (each.first, each.last) if end)
    spoken = {language for rep in configuration.reps for language in rep.languages}
    for promise in (*(each for rule in configuration.rules for each in rule.promises), configuration.fallback):
        if promise.require.language:
            found[promise.require.language] |= spoken
    found["source"].update(configuration.sources or ("website",))
    found["channel"].add("form")
    # In order: a set's is another in each process.
    return {name: sorted(found[name]) for name in sorted(found) if found[name]}


def _asked(condition: Condition) -> Iterator[tuple[str, str]]:
    for name, operators in condition.compared:
        for value in _examples(operators):
            yield name, value
    for nested in (*(condition.all or ()), *(condition.any or ()), *(condition.none or ())):
        yield from _asked(nested)


def _examples(operators: Operators) -> Iterator[str]:
    yield from (operators.equals,) if operators.equals else ()
    for texts in (operators.in_, operators.contains, operators.domain):
        yield from texts or ()
    yield from (f"{text}x" for text in operators.prefix or ())
    yield from (f"x{text}" for text in operators.suffix or ())
    for limit in (operators.at_least, operators.at_most, operators.above, operators.below):
        yield from (f"{limit + more:.15g}" for more in (-1, 0, 1)) if limit is not None else ()
    for each in operators.postal or ():
        found = postal_range(each)
        yield found.first
        yield from (found.last,) if found.last else ()
