"""YAML as plain data: texts, whole numbers, finite numbers, truth values, lists and mappings, and nothing besides.

YAML 1.1 makes dates, numbers to the base 60, octals, sets and objects of what somebody typed, and a few lines of it
grow to gigabytes. A config needs none of that: a date stays the text that was written, a key too, and what could be
meant otherwise is refused.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from l1emu.errors import L1emuError

_DEEPEST = 40
"""Lists and mappings inside one another."""
_MOST_VALUES = 20_000
"""Values of a document, those of an alias counted each time: what PyYAML reads in a second."""

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")
_DIGITS = 19
"""Of 2**63, which no number of a config has a use for."""


class _Loader(yaml.SafeLoader):
    """YAML's nodes, of bounded depth and number."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._of_anchor: dict[str, int] = {}  # values that an alias stands for

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        alias, before = isinstance(event, yaml.AliasEvent), self._values
        if alias and event.anchor in self.anchors and event.anchor not in self._of_anchor:
            raise yaml.composer.ComposerError(None, None, "an alias of what it stands in", event.start_mark)
        if self._depth == _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {_DEEPEST}", event.start_mark)
        self._values += self._of_anchor.get(event.anchor, 1) if alias else 1
        if self._values > _MOST_VALUES:
            raise yaml.composer.ComposerError(None, None, f"more than {_MOST_VALUES:,} values", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not alias and event.anchor is not None:
            self._of_anchor[event.anchor] = self._values - before
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(rf"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def compose(text: str) -> yaml.Node | None:
    """The node of a text's one document, None of an empty text; `plain` and `line_of` read it.

    Raises
    ------
    L1emuError
        without a path, for what is not YAML, several documents, an alias inside of what it stands for, and what is
        nested too deep or has too many values.
    """
    try:
        node: yaml.Node | None = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        before, character = text[: error.position], text[error.position]
        where = f"line {before.count(chr(10)) + 1}, column {error.position - before.rfind(chr(10))}"
        raise L1emuError("not valid YAML", where=where, value=character, expected="no control characters") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        raise L1emuError(f"not valid YAML: {error.problem}", where=place) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape or a directive that PyYAML cannot read
        raise L1emuError(f"not valid YAML: {error}") from None
    return node


def plain(node: yaml.Node | None) -> Any:
    """A node as plain data; every key is the text that was written.

    Raises
    ------
    L1emuError
        without a path, for a key that stands twice or is no text, a number that is not finite, not decimal or too
        large, a tag other than those of plain data, and control characters.
    """
    if node is None:
        return None
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.ScalarNode):
        match kind:
            case "null":
                return None
            case "bool" if node.value.lower() in yaml.SafeLoader.bool_values:
                return yaml.SafeLoader.bool_values[node.value.lower()]
            case "int":
                return _integer(node)
            case "float":
                return _float(node)
            case "str":
                return _text(node)
    elif isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [plain(item) for item in node.value]
    elif isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node)
    raise L1emuError("not valid YAML: a tag that is not of plain data", where=_place(node), value=node.tag)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == f"{_TAG}merge":
            others = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for other in others:
                if not isinstance(other, yaml.MappingNode):
                    raise L1emuError("only keys and values can be merged", where=_place(other))
                merged = _mapping(other) | merged  # the first one decides
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise L1emuError("a key that is no text", where=_place(key_node), expected="a word")
        key = _text(key_node)
        if key in own:
            raise L1emuError("not valid YAML: the key stands twice", where=_place(key_node), value=key)
        own[key] = plain(value_node)
    return merged | own


def _text(node: yaml.ScalarNode) -> str:
    text: str = node.value
    for character in text:
        if character not in "\n\t" and (ord(character) < 32 or 127 <= ord(character) < 160 or _surrogate(character)):
            raise L1emuError("a control character in a text", where=_place(node), value=text)
    return text


def _surrogate(character: str) -> bool:
    return 0xD800 <= ord(character) < 0xE000


def _integer(node: yaml.ScalarNode) -> int:
    text: str = node.value
    if _INTEGER.fullmatch(text) is None:
        raise L1emuError(
            "not a decimal number, or a text without its quotes",
            where=_place(node),
            value=text,
            expected="digits that begin with no zero, or quotes",
        )
    digits = text.lstrip("+-").replace("_", "")
    if len(digits) > _DIGITS:
        raise L1emuError("too large a number", where=_place(node), value=text, expected=f"at most {_DIGITS} digits")
    return int(text.replace("_", ""), 0)


def _float(node: yaml.ScalarNode) -> float:
    text: str = node.value
    if _FLOAT.fullmatch(text) is None or not math.isfinite(number := float(text.replace("_", ""))):
        raise L1emuError("not a finite decimal number", where=_place(node), value=text)
    return number


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The 1-based line where the deepest part of `location` that exists begins."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == str(part):
                    line, node = key_node.start_mark.line + 1, value_node
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
