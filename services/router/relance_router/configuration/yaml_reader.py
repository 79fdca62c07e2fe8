"""Reading YAML 1.2 as editors do, with the line of every entry.

YAML 1.1, which PyYAML reads by default, makes `false` of the country NO, 567 of the postal code 01067, and 1080 of
18:00.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from typing_extensions import override
from yaml.composer import ComposerError

from relance_router.domain.configuration import Path


@dataclass(frozen=True)
class YamlFault:
    """What is wrong, and in which line (1 for the first)."""

    line: int
    reason: str


class NotYaml(ValueError):
    """The text is no YAML, or says something twice."""

    def __init__(self, *found: YamlFault) -> None:
        super().__init__("; ".join(fault.reason for fault in found))
        self.found = found


class _Loader(yaml.SafeLoader):
    """The core schema, without numbers that lose something as numbers (`01067`)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # filled below, for this class alone

    @override
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # its stub has no types
        # What a tag such as !!int makes of a wrong value is no error of YAML's, but a crash.
        if getattr(event, "tag", None) not in (None, "!"):
            raise ComposerError(None, None, f"tags are not read here: {event.tag}", event.start_mark)
        return super().compose_node(parent, index)


for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", [*"-+0123456789"]),
    ("float", r"[-+]?(?:[0-9]{1,17}\.[0-9]{0,17}|\.[0-9]{1,17})(?:[eE][-+]?[0-9]{1,2})?", [*"-+.0123456789"]),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})\Z"), first)


@dataclass(frozen=True)
class YamlDocument:
    """What the text says, and where."""

    content: Any
    root: yaml.Node | None

    def line(self, path: Path) -> int:
        """The line (1 for the first) of the entry at `path`, or of the nearest one around it that exists.

        Parts of the path that the text leaves out, for a short form that it uses, are passed over.
        """
        node = self.root
        line = node.start_mark.line + 1 if node else 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                entry = next(((key, value) for key, value in node.value if key.value == part), None)
                if entry is None:
                    return line
                line, node = entry[0].start_mark.line + 1, entry[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line


def read(text: str) -> YamlDocument:
    """Read one document.

    Raises:
        NotYaml: it cannot be read.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        doubled = list(_doubled_keys(root, set()))
        if doubled:
            raise NotYaml(*doubled)
        return YamlDocument(loader.construct_document(root) if root else None, root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise NotYaml(YamlFault(line, f"not YAML: {error.problem}")) from error
    except yaml.YAMLError as error:
        raise NotYaml(YamlFault(1, f"not YAML: {error}")) from error
    except RecursionError as error:
        raise NotYaml(YamlFault(1, "not YAML that can be read: nested too deeply")) from error


def _doubled_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[YamlFault]:
    """Keys that stand twice in one mapping: readers silently take the last. Aliased nodes are looked at once."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    yield YamlFault(key.start_mark.line + 1, f"{key.value!r} stands twice here")
                keys.add(key.value)
            yield from _doubled_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled_keys(value, seen)
