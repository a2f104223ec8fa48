"""Read YAML 1.2 (hence JSON) into plain data that remembers the line of every key.

Deliberately reads less than YAML offers: no tags, no anchors, no second document, no duplicate
keys, and scalars by the core schema only, so that 1e-5 is a number and `no` is a word.
Sources: YAML 1.2.2 specification, 10.3 core schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import Keys, Plain, dotted

SIZE_MAX: Final = 1_000_000
DEPTH_MAX: Final = 50

_WORDS: Final[dict[str, Plain]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 20
_JSON_INDENT: Final = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line on which each key or entry stands."""

    data: Any
    lines: dict[Keys, int] = field(default_factory=dict)

    def line(self, keys: Keys) -> int:
        """Find the line of a path, or of the nearest part of it that exists."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def read_document(text: str, *, name: str) -> Document:
    """Read one document; every complaint names the file and the line."""
    if len(text) > SIZE_MAX:
        found = f"{len(text)} characters"
        raise RecipeError(
            "too large", where=name, expected=f"at most {SIZE_MAX} characters", found=found
        )
    if text.lstrip().startswith("{"):
        text = _JSON_INDENT.sub(lambda match: " " * len(match[0]), text)
    try:
        _refuse_extras(YAML(typ="safe", pure=True).parse(text), name=name)
        node = YAML(typ="safe", pure=True).compose(text)
    except RecipeError:
        raise
    except MarkedYAMLError as error:
        raise _unreadable(error, name=name) from error
    except (YAMLError, ValueError) as error:
        raise RecipeError("not YAML", where=name, found=str(error).splitlines()[0]) from error
    lines: dict[Keys, int] = {}
    data = None if node is None else _value(node, (), lines=lines, name=name)
    return Document(data, lines)


def read_scalar(text: str, *, where: str) -> Plain:
    """Read a value given on the command line: a plain scalar, or [..], {..} or a quoted string."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return read_document(text, name=where).data
    return _plain(text, where=where)


def _refuse_extras(events: Iterator[Event], *, name: str) -> None:
    depth = 0
    for event in events:
        where = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
        depth += isinstance(event, (MappingStartEvent, SequenceStartEvent))
        depth -= isinstance(event, (MappingEndEvent, SequenceEndEvent))
        if depth > DEPTH_MAX:
            raise RecipeError(
                "nested too deep", where=where, expected=f"at most {DEPTH_MAX} levels"
            )
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError(
                "anchors and aliases are not read", where=where, hint="write the value out"
            )
        tag = getattr(event, "tag", None)
        if isinstance(event, NodeEvent) and tag is not None:
            found = str(tag)
            raise RecipeError("tags are not read", where=where, found=found, hint="remove the tag")


def _unreadable(error: MarkedYAMLError, *, name: str) -> RecipeError:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    found = " ".join(part.strip() for part in (error.context, error.problem) if part)
    return RecipeError(
        "not YAML", where=where, expected="YAML 1.2 or JSON", found=" ".join(found.split())
    )


def _value(node: Node, keys: Keys, *, lines: dict[Keys, int], name: str) -> Plain:
    lines.setdefault(keys, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _mapping(node, keys, lines=lines, name=name)
    if isinstance(node, SequenceNode):
        return [
            _value(item, (*keys, position), lines=lines, name=name)
            for position, item in enumerate(node.value)
        ]
    if not isinstance(node, ScalarNode):
        raise TypeError(f"unexpected node {type(node).__name__}")
    if node.style is not None and node.style in "\"'|>":
        return _text(node.value, where=f"{name}:{node.start_mark.line + 1}")
    return _plain(node.value, where=f"{name}:{node.start_mark.line + 1}")


def _mapping(node: MappingNode, keys: Keys, *, lines: dict[Keys, int], name: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        where = f"{name}:{line}"
        if not isinstance(key_node, ScalarNode):
            raise RecipeError("a key is not a word", where=where, expected="a plain key")
        key = _text(key_node.value, where=where)
        path = (*keys, key)
        if key in data:
            raise RecipeError(
                f"duplicate key {dotted(path)}",
                where=where,
                expected="each key once",
                found=f"first given on line {lines[path]}",
                hint="remove one of the two",
            )
        lines[path] = line
        data[key] = _value(value_node, path, lines=lines, name=name)
    return data


def _text(text: str, *, where: str) -> str:
    # JSON writes characters beyond 16 bits as two escapes; YAML leaves them apart.
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise RecipeError("half a character", where=where, found=ascii(text)) from error


def _plain(text: str, *, where: str) -> Plain:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text, where=where)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif not _NOT_FINITE.fullmatch(text):
        return text
    raise RecipeError("not a finite number", where=where, expected="a finite number", found=text)


def _integer(text: str, *, where: str) -> int:
    if len(text) <= _DIGITS_MAX:
        number = int(text, 0) if text[1:2] in ("o", "x") else int(text)
        if abs(number) <= _INTEGER_MAX:
            return number
    raise RecipeError(
        "number too large", where=where, expected="a 64-bit whole number", found=text[:40]
    )
