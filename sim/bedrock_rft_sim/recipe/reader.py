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
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import Keys, Plain, dotted

SIZE_MAX: Final = 200_000
"""Characters; with `VALUES_MAX` it bounds the time to about a second, since the reader is slow."""
VALUES_MAX: Final = 2_000
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
        return _EventReader(YAML(typ="safe", pure=True).parse(text), name).document()
    except MarkedYAMLError as error:
        raise _unreadable(error, name=name) from error
    except (YAMLError, ValueError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError("not YAML", where=name, found=str(error).splitlines()[0]) from error


def read_scalar(text: str, *, where: str) -> Plain:
    """Read a value given on the command line: a plain scalar, or [..], {..} or a quoted string."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return read_document(text, name=where).data
    return _plain(text, where=where)


def _unreadable(error: MarkedYAMLError, *, name: str) -> RecipeError:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}" if mark else name
    found = " ".join(part.strip() for part in (error.context, error.problem) if part)
    return RecipeError(
        "not YAML", where=where, expected="YAML 1.2 or JSON", found=" ".join(found.split())
    )


class _EventReader:
    """Makes plain data of YAML's events, in one pass, and stops at the first it does not read."""

    def __init__(self, events: Iterator[Event], name: str) -> None:
        self._events = events
        self._name = name
        self._lines: dict[Keys, int] = {}
        self._values = 0

    def document(self) -> Document:
        """Read to the end of the text, which holds one document or none."""
        data: Plain = None
        is_first = True
        for event in self._events:
            if isinstance(event, NodeEvent):
                data = self._value(event, ())
            elif isinstance(event, DocumentStartEvent):
                if not is_first:
                    raise RecipeError("a second document", where=self._where(event), expected="one")
                is_first = False
        return Document(data, self._lines)

    def _where(self, event: Event) -> str:
        return f"{self._name}:{event.start_mark.line + 1}"

    def _value(self, event: Event, keys: Keys) -> Plain:
        self._refuse_extras(event, keys)
        self._lines.setdefault(keys, event.start_mark.line + 1)
        if isinstance(event, MappingStartEvent):
            return self._mapping(keys)
        if isinstance(event, SequenceStartEvent):
            return [
                self._value(item, (*keys, position)) for position, item in enumerate(self._inside())
            ]
        if not isinstance(event, ScalarEvent):
            raise TypeError(f"unexpected event {type(event).__name__}")
        is_text = event.style is not None and event.style in "\"'|>"
        return (_text if is_text else _plain)(event.value, where=self._where(event))

    def _inside(self) -> Iterator[Event]:
        """Yield the events that begin what stands directly in this collection."""
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                return
            yield event

    def _mapping(self, keys: Keys) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for event in self._inside():
            where = self._where(event)
            self._refuse_extras(event, keys)
            if not isinstance(event, ScalarEvent):
                raise RecipeError("a key is not a word", where=where, expected="a plain key")
            key = _text(event.value, where=where)
            path = (*keys, key)
            if key in data:
                raise RecipeError(
                    f"duplicate key {dotted(path)}",
                    where=where,
                    expected="each key once",
                    found=f"first given on line {self._lines[path]}",
                    hint="remove one of the two",
                )
            self._lines[path] = event.start_mark.line + 1
            data[key] = self._value(next(self._events), path)
        return data

    def _refuse_extras(self, event: Event, keys: Keys) -> None:
        where = self._where(event)
        self._values += 1
        if self._values > VALUES_MAX:
            raise RecipeError("too many values", where=where, expected=f"at most {VALUES_MAX:,}")
        if len(keys) >= DEPTH_MAX and isinstance(event, MappingStartEvent | SequenceStartEvent):
            raise RecipeError(
                "nested too deep", where=where, expected=f"at most {DEPTH_MAX} levels"
            )
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError(
                "anchors and aliases are not read", where=where, hint="write the value out"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise RecipeError(
                "tags are not read", where=where, found=str(tag), hint="remove the tag"
            )


def _text(text: str, *, where: str) -> str:
    if "\0" in text:  # no name of a file or a variable can hold it
        raise RecipeError("a NUL character", where=where, expected="text", found=ascii(text))
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
