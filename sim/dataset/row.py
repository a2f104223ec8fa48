"""One training or validation record, checked.

It repairs nothing: what the service's validators refuse, or what could not be sent to a grader, is
an error that names the file, the line and the record. Whether Bedrock checks the same things for
RFT is not published; the checks follow AWS's own validators.

Sources: Amazon Bedrock user guide, rft-prepare-data (messages, reference_answer, other keys);
aws-samples/amazon-nova-samples and the Nova Forge SDK (validators).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from sim.errors import DataError

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt with what its grader needs."""

    id: str
    """As given, else `row-` and the line number."""
    messages: tuple[dict[str, Any], ...]
    """As given: content may be a string or a list of text parts."""
    reference_answer: str | dict[str, Any] | None
    extra: dict[str, Any]
    """Every other key of the record; all are carried to the grader."""
    source: str
    line: int
    """1-based."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record stands, for messages."""

    source: str
    line: int
    id: object

    def refuse(self, what: str, *, expected: str, found: object, hint: str) -> NoReturn:
        named = f" (id {self.id!r})" if isinstance(self.id, str) else ""
        where = f"{self.source}:{self.line}{named}"
        raise DataError(what, where=where, expected=expected, found=_short(found), hint=hint)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004


def row_from_record(record: dict[str, Any], *, source: str, line: int) -> Row:
    """Return the checked row.

    Raises:
        DataError: the record can't be trained on.
    """
    place = _Place(source, line, record.get("id"))
    extra = {k: v for k, v in record.items() if k not in ("id", "messages", "reference_answer")}
    return Row(
        id=_id(record, place),
        messages=_messages(record, place),
        reference_answer=_reference(record, place),
        extra=extra,
        source=source,
        line=line,
    )


def _id(record: dict[str, Any], place: _Place) -> str:
    if "id" not in record:
        return f"row-{place.line:06d}"
    value = record["id"]
    if not isinstance(value, str) or not value.strip():
        place.refuse(
            "the id can't be used",
            expected="a non-empty string",
            found=repr(value),
            hint="write a string, or leave id out to have one assigned",
        )
    _check_encodable(value, "the id", place)
    return value


def _reference(record: dict[str, Any], place: _Place) -> str | dict[str, Any] | None:
    if "reference_answer" not in record:
        return None
    value = record["reference_answer"]
    if not isinstance(value, str | dict) or not value:
        place.refuse(
            "reference_answer can't be used",
            expected="a non-empty string or object",
            found=repr(value),
            hint="write the answer in words or as an object, or leave the key out",
        )
    return value


def _messages(record: dict[str, Any], place: _Place) -> tuple[dict[str, Any], ...]:
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        place.refuse(
            "the record has no messages" if not messages else "messages can't be used",
            expected='"messages": a non-empty list of {"role": ..., "content": ...}',
            found=_found_instead(record),
            hint="put the prompt into one user message",
        )
    for index, message in enumerate(messages):
        _check_message(message, index, place)
    _check_order([message["role"] for message in messages], place)
    return tuple(messages)


def _found_instead(record: dict[str, Any]) -> str:
    if "messages" in record:
        return repr(record["messages"])
    return "keys " + ", ".join(sorted(record)) if record else "an empty object"


def _check_message(message: object, index: int, place: _Place) -> None:
    if not isinstance(message, dict):
        place.refuse(
            f"messages[{index}] is not an object",
            expected='{"role": ..., "content": ...}',
            found=repr(message),
            hint="wrap the text into a message",
        )
    if message.get("role") not in ROLES:
        place.refuse(
            f"messages[{index}] has no role that RFT knows",
            expected=", ".join(ROLES),
            found=repr(message.get("role")),
            hint="use user for the prompt and system for instructions",
        )
    _check_content(message.get("content"), f"messages[{index}].content", place)


def _check_content(content: object, name: str, place: _Place) -> None:
    text = _text(content)
    if text is None:
        place.refuse(
            f"{name} can't be used",
            expected='a string, or a list of {"type": "text", "text": ...}',
            found=repr(content),
            hint="RFT trains on text only",
        )
    if not text.strip():
        place.refuse(
            f"{name} is empty",
            expected="some text",
            found=repr(text),
            hint="fill it, or leave the message out",
        )
    _check_encodable(text, name, place)


def _text(content: object) -> str | None:
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


def _check_encodable(text: str, name: str, place: _Place) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place.refuse(
            f"{name} holds half of a character",
            expected="text that UTF-8 can write",
            found=f"the lone surrogate {text[error.start]!a} at character {error.start + 1}",
            hint="write the data again with whole characters",
        )


def _check_order(roles: list[str], place: _Place) -> None:
    if "system" in roles[1:]:
        place.refuse(
            "a system message is not the first",
            expected="at most one system message, at the start",
            found=", ".join(roles),
            hint="move it to the front, or merge it with the first one",
        )
    if "user" not in roles:
        place.refuse(
            "there is no user message",
            expected="at least one message with role user",
            found=", ".join(roles),
            hint="put the prompt into a user message",
        )
    if roles[-1] != "user":
        place.refuse(
            "the last message is not the user's",
            expected="a prompt: the answer is sampled and appended as the assistant turn",
            found=", ".join(roles),
            hint="move the wanted answer into reference_answer",
        )
