"""Reading routing.yaml so that every fault is told with its file, line and reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relance_router.domain.configuration import Configuration, Path, faults


@dataclass(frozen=True)
class LineFault:
    """What is wrong, and in which line (1 for the first)."""

    line: int
    reason: str


class ConfigurationRefused(ValueError):
    """The file is not a configuration that can run. Mend the lines it names."""

    def __init__(self, file: str, found: Sequence[LineFault]) -> None:
        self.found = tuple(sorted(found, key=lambda fault: fault.line))
        super().__init__("\n".join(f"{file}:{fault.line}: {fault.reason}" for fault in self.found))


def parse(text: str, file: str) -> Configuration:
    """Read a configuration; `file` is the name that errors give.

    Raises:
        ConfigurationRefused: with every fault found.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationRefused(file, [LineFault(line, f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise ConfigurationRefused(file, [LineFault(1, f"not YAML: {error}")]) from error
    doubled = _doubled_keys(root)
    if doubled:
        raise ConfigurationRefused(file, doubled)
    try:
        configuration = Configuration.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise ConfigurationRefused(
            file, [LineFault(_line(root, fault["loc"]), _sentence(fault)) for fault in error.errors(include_url=False)]
        ) from error
    found = faults(configuration)
    if found:
        raise ConfigurationRefused(file, [LineFault(_line(root, fault.path), fault.reason) for fault in found])
    return configuration


def _sentence(fault: ErrorDetails) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _line(node: yaml.Node | None, path: Path) -> int:
    """The line of the entry at `path`, or of the nearest one around it that exists."""
    if node is None:
        return 1
    line = int(node.start_mark.line) + 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == part), None)
            if entry is None:
                return line
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _doubled_keys(node: yaml.Node | None) -> list[LineFault]:
    """Keys that stand twice in one mapping: YAML readers silently take the last."""
    found: list[LineFault] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                found.append(LineFault(key.start_mark.line + 1, f"{key.value!r} stands twice here"))
            seen.add(key.value)
            found += _doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            found += _doubled_keys(value)
    return found
