"""Made-up people, and a bot now and then: the same ones for the same seed."""

import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from relance_local.demo.scenario import HONEYPOT

_FIRST = ("Maria", "Jonas", "Sophie", "Luca", "Amelie", "Peter", "Nora", "Tom", "Ines", "Paul", "Lea", "Max")
_LAST = ("Huber", "Schmidt", "Dubois", "Miller", "Jansen", "Rossi", "Weber", "Martin", "Keller", "Brown")
_COMPANIES = ("Alpenglas", "Nordlicht Logistik", "Petit Four", "Riverside Dental", "Tulip Mills", "Hafen Werke")
_CAMPAIGNS = ("spring-sale", "webinar-november", "brand-search", None)
_PHONES = {
    "DE": "+4930{:07d}",
    "AT": "+431{:07d}",
    "CH": "+4144{:07d}",
    "FR": "+3314{:07d}",
    "GB": "+44207{:07d}",
    "US": "+1212{:07d}",
    "NL": "+3120{:07d}",
    "BR": "+55113{:07d}",
}
_REMEMBERED = 50
_COUNTRIES = ("DE",) * 6 + ("AT", "CH", "FR", "FR", "GB", "GB", "US", "US", "NL", "BR")


@dataclass(frozen=True)
class Submission:
    """What one person sends, and how: `website` posts a plain form, `ads` JSON, `phone` a call."""

    source: str
    fields: dict[str, object]
    idempotency_key: str
    twice: bool
    """The browser was impatient, or the network broke: the same submission comes again."""


class People:
    """Makes submissions; now and then somebody comes again, by another way."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._count = 0
        self._lately = deque[dict[str, object]](maxlen=_REMEMBERED)

    def next(self) -> Submission:
        """The next person; in one of twelve cases one of the last."""
        self._count += 1
        if self._lately and self._random.random() < 1 / 12:
            return self._again(self._random.choice(self._lately))
        choose = self._random.choice
        source = self._random.choices(("website", "ads", "phone"), (5, 3, 2))[0]
        country = choose(_COUNTRIES)
        first, last = choose(_FIRST), choose(_LAST)
        phone = _PHONES[country].format(self._random.randrange(2_000_000, 9_000_000))
        common: dict[str, object] = {"name": f"{first} {last}", "company": choose(_COMPANIES), "country": country}
        campaign = choose(_CAMPAIGNS)
        if campaign:
            common["campaign"] = campaign
        if source == "website" and self._random.random() < 0.1:  # noqa: PLR2004 - one in ten is a bot
            common[HONEYPOT] = "https://casino.example"
        self._lately.append({"name": f"{first} {last}", "country": country, "phone": phone})
        return Submission(
            source,
            common | (self._call(phone) if source == "phone" else self._lead(first, last, phone, source)),
            f"demo-{self._count}",
            twice=self._random.random() < 0.05,  # noqa: PLR2004 - one in twenty
        )

    def _again(self, person: dict[str, object]) -> Submission:
        """With the telephone number that we know, and of another campaign, as it may be."""
        fields = {**person, "campaign": self._random.choice(_CAMPAIGNS[:3])}
        return Submission("ads", fields, f"demo-{self._count}", twice=False)

    def _lead(self, first: str, last: str, phone: str, source: str) -> dict[str, object]:
        email = f"{first}.{last}.{self._count}@example.com".lower()
        message: dict[str, object] = {
            "message": "Please call me about your offer.",
            "budget": self._random.choice(("5k", "20k", "100k")),
        }
        # A plain form has no nested fields.
        return {"email": email, "phone": phone} | (message if source == "website" else {"fields": message})

    def _call(self, phone: str) -> dict[str, object]:
        status = self._random.choices(("answered", "missed", "voicemail"), (5, 3, 2))[0]
        return {
            "call_id": f"call-{self._count}",
            "caller": phone,
            "called_number": "+493020000000",
            "status": status,
            "started_at": datetime.now(UTC).isoformat(),
            "duration_seconds": 0 if status == "missed" else self._random.randrange(5, 300),
            "recording_url": f"https://calls.example.com/{self._count}.mp3" if status == "voicemail" else None,
        }
