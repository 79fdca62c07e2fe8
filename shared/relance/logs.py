"""Structured logs: one JSON object a line on standard output, without personal data.

Log what happened to which id. `_withhold_personal_data` is the last line of defence, not a licence.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from relance.error_text import error_chain

_PERSONAL = frozenset(
    {
        "name",
        "email",
        "phone",
        "contact",
        "caller",
        "caller_number",
        "fields",
        "message",
        "body",
        "payload",
        "url",
        "token",
    }
)


class _Lines(structlog.WriteLogger):
    """Lines on standard output, by a logger of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(sys.stdout)
        self.name = name


def configure(service: str, level: str) -> None:
    """Send this process's logs, and those of the libraries it uses, to standard output as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(error_chain),
        _withhold_personal_data,
        _withhold_what_failed,
    ]
    render = structlog.processors.JSONRenderer(sort_keys=True)
    # Ours do not go through `logging`, which takes three times as long for each line.
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Paths in access logs hold answer tokens; our own request log names the route instead.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def _withhold_personal_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in _PERSONAL & event.keys():
        event[key] = "(withheld)"
    return event


def _withhold_what_failed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # asyncio says what happened, and in further lines names the task with the whole sentence of its error.
    if event.get("logger") == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger that takes an event name and facts about it: `log.info("lead accepted", lead_id=…)`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger
