"""The board's pages: templates, and the headers that they are sent with."""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from relance_sla_monitor.board.durations import time_left, written
from relance_sla_monitor.board.live import Shown
from relance_sla_monitor.board.reading import Facts
from relance_sla_monitor.board.view import Board, board, milliseconds

_FOLDER = Path(__file__).parent / "pages"
_STYLE = (_FOLDER / "style.css").read_text()
_SCRIPT = (_FOLDER / "live.js").read_text()
_PAGES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_PAGES.globals |= {"style": Markup(_STYLE), "script": Markup(_SCRIPT)}  # noqa: S704 - files of ours
_WORDS = {"in_time": "in time", "at_risk": "at risk", "breached": "overdue", "on_hold": "on hold"}


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


PROTECTED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class Pages:
    """Renders. The day begins at midnight in `zone`, in which times are written."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def part(self, facts: Facts, team: str | None) -> Shown:
        """What streams send: all that changes."""
        shown = board(facts, team, self._zone)
        html = _PAGES.get_template("live.html").render(self._values(shown, facts.now))
        return Shown(sha256(repr(shown).encode()).hexdigest()[:16], html)

    def whole(self, facts: Facts, team: str | None, now: datetime) -> HTMLResponse:
        """The page, as it stands now."""
        values = self._values(board(facts, team, self._zone), now)
        html = _PAGES.get_template("board.html").render(values, read=facts.now)
        return HTMLResponse(html, headers=PROTECTED)

    def _values(self, shown: Board, now: datetime) -> dict[str, object]:
        return {
            "board": shown,
            "now": now,
            "words": _WORDS,
            "left": lambda moment: time_left(_moment(moment), now),
            "age": lambda moment: written(now - _moment(moment)),
            "ms": milliseconds,
            "zone": self._zone.key,
            "clock": lambda moment: f"{moment.astimezone(self._zone):%H:%M:%S}",
        }


def message(status: HTTPStatus, title: str, sentence: str, *, then: str | None = None) -> HTMLResponse:
    """A page that says one thing, and perhaps goes on to another address."""
    html = _PAGES.get_template("message.html").render(title=title, sentence=sentence, then=then)
    return HTMLResponse(html, status.value, PROTECTED)


def _moment(milliseconds_: int) -> datetime:
    return datetime.fromtimestamp(milliseconds_ / 1000, UTC)
