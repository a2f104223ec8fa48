"""What is wrong with one record, by the rules; it repairs nothing.

Whether Bedrock checks the same things for RFT is not published; the checks follow AWS's own
documents and validators, and `bedrock_rft_sim.data.rules` says which.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bedrock_rft_sim.contract.limits import FORBIDDEN_SUBSTRINGS
from bedrock_rft_sim.data.rules import Violation, violation

ROLES = ("system", "user", "assistant")
OPTIONAL_KEYS = ("id", "reference_answer", "tools")

# Two entries that the validator's missing commas merge with their neighbours.
_NOT_CAUGHT = ("Thought:", "[EOS]")


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)


_FORBIDDEN = _any_of(tuple(word for word in FORBIDDEN_SUBSTRINGS if word not in _NOT_CAUGHT))
_MEANT = _any_of(_NOT_CAUGHT)


def blocking(record: Mapping[str, Any], line: int) -> Iterator[Violation]:
    """Yield what keeps the record from being trained on, in the order of its keys."""
    for rule, place, found in (*_id(record), *_messages(record), *_reference(record)):
        yield violation(rule, found, line=line, place=place, id_=record.get("id"))


def remarks(record: Mapping[str, Any], line: int) -> Iterator[Violation]:
    """Yield what some document or validator objects to, although the record can be trained on."""
    for rule, place, found in (*_wording(record), *_no_reference(record), *_tools(record)):
        yield violation(rule, found, line=line, place=place, id_=record.get("id"))


_Found = Iterator[tuple[str, str, object]]
"""Rule id, place in the record, what was found."""


def _id(record: Mapping[str, Any]) -> _Found:
    if "id" not in record:
        return
    value = record["id"]
    if not isinstance(value, str) or not value.strip():
        yield "id-text", "", _seen(value)
    else:
        yield from _encodable(value, "the id")


def _reference(record: Mapping[str, Any]) -> _Found:
    value = record.get("reference_answer", "none")
    is_blank = isinstance(value, str) and not value.strip()
    if not isinstance(value, str | dict) or not value or is_blank:
        yield "reference-usable", "", _seen(value)


def _no_reference(record: Mapping[str, Any]) -> _Found:
    if "reference_answer" not in record:
        yield "reference-there", "", _keys(record)


def _keys(record: Mapping[str, Any]) -> str:
    return "keys " + ", ".join(sorted(record)) if record else "an empty object"


def _seen(value: object) -> str:
    """Return a value as the file spells it where Python would spell it otherwise."""
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def _found(record: Mapping[str, Any], key: str) -> str:
    """Return the value of a key, or which keys there are instead."""
    return _seen(record[key]) if key in record else _keys(record)


def _messages(record: Mapping[str, Any]) -> _Found:
    messages = record.get("messages")
    if not messages:
        yield "messages", "", _found(record, "messages")
    elif not isinstance(messages, list):
        yield "messages-list", "", repr(messages)
    else:
        for index, message in enumerate(messages):
            yield from _message(message, f"messages[{index}]")
        roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
        if all(isinstance(role, str) and role in ROLES for role in roles):
            yield from _order([str(role) for role in roles])


def _message(message: object, place: str) -> _Found:
    if not isinstance(message, dict):
        yield "message-object", place, _seen(message)
        return
    missing = [key for key in ("role", "content") if key not in message]
    for key in missing:
        yield "message-whole", f"{place}.{key}", _keys(message)
    role = message.get("role")
    if "role" not in missing and not (isinstance(role, str) and role in ROLES):
        yield "role", place, _seen(role)
    if "content" in missing:
        return
    content = message["content"]
    text = text_of(content)
    if text is None:
        yield "content-text", f"{place}.content", _seen(content)
    elif not text.strip():
        yield "content-there", f"{place}.content", repr(text)
    else:
        yield from _encodable(text, f"{place}.content")


def text_of(content: object) -> str | None:
    """Return the text of a content; None where it is neither a string nor text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [_part_text(part) for part in content]
    return "".join(text for text in texts if text is not None) if None not in texts else None


def _part_text(part: object) -> str | None:
    if not isinstance(part, dict) or part.get("type") != "text":
        return None
    text = part.get("text")
    return text if isinstance(text, str) else None


def _encodable(text: str, place: str) -> _Found:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = f"the lone surrogate {text[error.start]!a} at character {error.start + 1}"
        yield "whole-characters", place, found


def _order(roles: list[str]) -> _Found:
    found = ", ".join(roles)
    if "system" in roles[1:]:
        yield "system-first", "", found
    if "user" not in roles:
        yield "user-there", "", found
    elif roles[-1] != "user":
        yield "user-last", "", found


def _wording(record: Mapping[str, Any]) -> _Found:
    messages = record.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            yield from _worded(message, f"messages[{index}]")


def _worded(message: Mapping[str, Any], place: str) -> _Found:
    more = sorted(str(key) for key in message if key not in ("role", "content"))
    if more:
        yield "message-keys", place, ", ".join(more)
    content = message.get("content")
    text = text_of(content)
    if text is None:
        return
    if isinstance(content, list):
        yield "content-string", f"{place}.content", f"{len(content)} parts"
    for rule, pattern in (("forbidden-words", _FORBIDDEN), ("forbidden-words-meant", _MEANT)):
        if match := pattern.search(text):
            around = text[max(match.start() - 20, 0) : match.end() + 20]
            yield rule, f"{place}.content", repr(around)


def _tools(record: Mapping[str, Any]) -> _Found:
    tools = record.get("tools")
    if tools is None:
        yield "tools-required", "", _keys(record)
    elif not isinstance(tools, list) or not tools:
        yield "tools-list", "", _seen(tools)
    else:
        for index, tool in enumerate(tools):
            yield from _tool(tool, f"tools[{index}]")
        yield from _names_unique(tools)


def _tool(tool: Any, place: str) -> _Found:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type") != "function":
        yield "tool-function", place, _seen(tool)
        return
    for key in ("name", "description"):
        value = function.get(key)
        if not isinstance(value, str) or not value.strip():
            yield "tool-named", f"{place}.function.{key}", _found(function, key)
    parameters = function.get("parameters")
    if not _are_parameters(parameters):
        found = _found(function, "parameters")
        yield "tool-parameters", f"{place}.function.parameters", found


def _are_parameters(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    required = value.get("required")
    names_ok = required is None or (
        isinstance(required, list) and all(isinstance(name, str) for name in required)
    )
    return value.get("type") == "object" and isinstance(value.get("properties"), dict) and names_ok


def _names_unique(tools: list[Any]) -> _Found:
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    counts = Counter(name for name in names if isinstance(name, str))
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        yield "tool-names-unique", "", repr(twice[0])
