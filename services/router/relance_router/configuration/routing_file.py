"""Reading routing.yaml so that every fault is told with its file, line and reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relance_router.configuration.schema import possible_keys
from relance_router.configuration.yaml_reader import NotYaml, YamlDocument, read
from relance_router.domain.configuration import Configuration, Fault, Severity, faults


@dataclass(frozen=True)
class LineFault:
    """What is wrong, and in which line (1 for the first)."""

    line: int
    reason: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Checked:
    """A file that was looked at: what is wrong with it, in the order of lines, and the configuration if it can run."""

    file: str
    configuration: Configuration | None
    found: tuple[LineFault, ...]

    @property
    def errors(self) -> tuple[LineFault, ...]:
        """What keeps it from running."""
        return tuple(fault for fault in self.found if fault.severity is Severity.ERROR)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is wrong as a person is told: `routing.yaml:7: warning: …`."""
        return tuple(f"{self.file}:{fault.line}: {fault.severity}: {fault.reason}" for fault in self.found)


class ConfigurationRefused(ValueError):
    """The file is not a configuration that can run. Mend the lines it names."""

    def __init__(self, file: str, found: Sequence[LineFault]) -> None:
        self.found = tuple(found)
        super().__init__("\n".join(f"{file}:{fault.line}: {fault.reason}" for fault in self.found))


def parse(text: str, file: str) -> Configuration:
    """Read a configuration; `file` is the name that errors give.

    Raises:
        ConfigurationRefused: with every error found, without the warnings.
    """
    checked = check(text, file)
    if checked.configuration is None:
        raise ConfigurationRefused(file, checked.errors)
    return checked.configuration


def check(text: str, file: str) -> Checked:
    """Everything that is wrong: errors, with which it cannot run, and warnings."""
    configuration, found = _looked_at(text)
    found.sort(key=lambda fault: fault.line)
    refused = any(fault.severity is Severity.ERROR for fault in found)
    return Checked(file, None if refused else configuration, tuple(found))


def _looked_at(text: str) -> tuple[Configuration | None, list[LineFault]]:
    try:
        document = read(text)
    except NotYaml as error:
        return None, [LineFault(fault.line, fault.reason) for fault in error.found]
    try:
        configuration = Configuration.model_validate(document.content)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        return None, [LineFault(document.line(each["loc"]), _sentence(each)) for each in wrong]
    return configuration, [_located(document, fault) for fault in faults(configuration)]


def _located(document: YamlDocument, fault: Fault) -> LineFault:
    other = f" (line {document.line(fault.other)})" if fault.other is not None else ""
    return LineFault(document.line(fault.path), fault.reason + other, fault.severity)


def _sentence(fault: ErrorDetails) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        *around, key = fault["loc"]
        message = f"{key!r} is not known here: use {', '.join(possible_keys(around))}"
    return f"{path}: {message}" if path else message
