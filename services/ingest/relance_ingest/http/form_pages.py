"""Pages for a visitor whose browser sent a form without script: thanks, or what is wrong and how to go back."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from relance_ingest.domain.languages import Language, language_of
from relance_ingest.http.page_wording import WORDING

FOLDER = Path(__file__).parent / "pages"
_STYLE = (FOLDER / "style.css").read_text()
_BACK = (FOLDER / "back.js").read_text()
PAGES = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
PAGES.globals |= {"style": Markup(_STYLE), "back_script": Markup(_BACK)}  # noqa: S704 - files of ours


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def protected(policy: str) -> dict[str, str]:
    """Headers of a page that loads nothing but what `policy` adds."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src {_hash(_STYLE)}; frame-ancestors 'none'; "
        f"base-uri 'none'; {policy}",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }


_PROTECTED = protected(f"form-action 'none'; script-src {_hash(_BACK)}")


def wants_json(headers: Mapping[str, str]) -> bool:
    """A program, such as the snippet: no browser on its way to a page sends JSON."""
    return any("application/json" in headers.get(name, "").lower() for name in ("accept", "content-type"))


def wants_html(headers: Mapping[str, str]) -> bool:
    """A browser on its way to a page."""
    return "text/html" in headers.get("accept", "") and not wants_json(headers)


def visitors_language(headers: Mapping[str, str]) -> Language:
    """By `Accept-Language`."""
    return language_of(headers.get("accept-language", ""))


def thanks(headers: Mapping[str, str]) -> HTMLResponse:
    """The page after a form."""
    return _page("thanks.html", HTTPStatus.OK, headers)


def refused(headers: Mapping[str, str], problem: Mapping[str, Any]) -> HTMLResponse:
    """A problem document as a page: which fields are wrong, and the way back to the form."""
    status = HTTPStatus(problem["status"])
    faults = [(_name(fault["pointer"]), fault["detail"]) for fault in problem.get("errors", ())]
    if faults:
        kind = "check"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status is HTTPStatus.TOO_MANY_REQUESTS:
        kind = "again"
    else:
        kind = "refused"
    return _page("refused.html", status, headers, kind=kind, faults=faults, detail=problem["detail"])


def _name(pointer: str) -> str:
    """The field's name as the form has it."""
    return pointer.removeprefix("/").replace("~1", "/").replace("~0", "~")


def _page(name: str, status: HTTPStatus, headers: Mapping[str, str], **values: object) -> HTMLResponse:
    language = visitors_language(headers)
    content = PAGES.get_template(name).render(
        values, words=WORDING[language], language=language, back=_back(headers.get("referer", ""))
    )
    return HTMLResponse(content, status.value, {**_PROTECTED, "Content-Language": language})


def _back(referrer: str) -> str | None:
    return referrer if referrer.startswith(("http://", "https://")) else None
