"""A form's body, in any of the encodings that forms come in, as text by field name."""

import json
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile

from relance.http.problems import FieldFault, Problem, invalid_fields
from relance_ingest import metrics
from relance_ingest.domain.submissions import LONGEST_LINE, MOST_FIELDS

URLENCODED = "application/x-www-form-urlencoded"
FORM_KINDS = (URLENCODED, "multipart/form-data")
JSON = "application/json"
CHARSET_FIELD = "_charset_"
"""Browsers fill it in, where it is hidden and empty."""
_CHARSETS = dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "windows-1252"), "cp1252") | {
    "iso-8859-15": "iso-8859-15",
    "iso-8859-2": "iso-8859-2",
    "windows-1250": "cp1250",
}
"""What old pages are written in, by the names that they use, as browsers read them; all else is UTF-8."""
_MOST_GIVEN = 2 * MOST_FIELDS
"""Fields that are read at all: some may be ignored, others be one box each of several."""


def field_fault(name: str, detail: str) -> FieldFault:
    """What is wrong with a form's field, whose name may have slashes (RFC 6901). `""` is the whole form."""
    return FieldFault("/" + name.replace("~", "~0").replace("/", "~1"), detail)


async def read_form(request: Request, files: Literal["refuse", "ignore"]) -> dict[str, str]:
    """The form's fields; one that stands several times (checkboxes, files) has its values joined by commas.

    Raises:
        Problem: it is no form, or has files where none are taken.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        return _json_fields(await request.body())
    if kind not in FORM_KINDS:
        metrics.REFUSED.labels("content_type").inc()
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Unsupported content type",
            f"Send a form (urlencoded or multipart) or application/json, not {kind or 'nothing'}.",
        )
    if kind == URLENCODED:
        return _joined(await _pairs(request))
    fields: list[tuple[str, str]] = []
    refused: list[str] = []
    async with request.form(max_files=MOST_FIELDS, max_fields=_MOST_GIVEN) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if not value.filename and not value.size:
                    continue  # what a browser sends for a file input that was left empty
                if files == "refuse":
                    refused.append(name)
                    continue
                text = (value.filename or "file").replace("\x00", "")[-LONGEST_LINE:]
            else:
                text = value
            fields.append((name, text))
    if refused:
        metrics.REFUSED.labels("files").inc()
        why = "Files are not taken here: send the form without this one."
        raise invalid_fields([field_fault(name, why) for name in dict.fromkeys(refused)])
    return _joined(fields)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A page may have a field twice, for phones and for desks: blank values and repeated ones say nothing more."""
    values: dict[str, dict[str, str]] = {}
    for name, text in pairs:
        values.setdefault(name, {}).setdefault(text.strip(), text)
    values.pop(CHARSET_FIELD, None)
    return {name: ", ".join(text for bare, text in given.items() if bare) for name, given in values.items()}


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """An urlencoded form, in the characters that its content type or a browser in its field `_charset_` names.

    Starlette knows UTF-8 alone.
    """
    body = (await request.body()).decode("latin-1")
    read = partial(parse_qsl, body, keep_blank_values=True, errors="replace", max_num_fields=_MOST_GIVEN)
    try:
        declared = request.headers.get("content-type", "").lower().partition("charset=")[2].partition(";")[0]
        declared = declared or dict(read()).get(CHARSET_FIELD, "")
        return read(encoding=_CHARSETS.get(declared.strip(' "').lower(), "utf-8"))
    except ValueError as error:
        detail = f"Send {_MOST_GIVEN} fields at most. Nothing was stored."
        raise Problem(HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST.phrase, detail) from error


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        detail = f"The body is not valid JSON: {error}. Nothing was stored."
        raise Problem(HTTPStatus.BAD_REQUEST, "Malformed JSON", detail) from error
    if not isinstance(given, dict):
        raise invalid_fields([FieldFault("/", "Send an object of fields.")])
    if len(given) > _MOST_GIVEN:
        raise invalid_fields([FieldFault("/", f"Send {_MOST_GIVEN} fields at most, not {len(given)}.")])
    # A lone surrogate is valid JSON, but no text: in a name it is replaced, in a value it is that field's fault.
    named = {name.encode(errors="replace").decode(): value for name, value in given.items()}
    wrong = [name for name, value in named.items() if not isinstance(value, str | int | float | bool | None)]
    if wrong:
        raise invalid_fields([field_fault(name, "A form field is text.") for name in wrong])
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in named.items()
        if value is not None and name != CHARSET_FIELD
    }
