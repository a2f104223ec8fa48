"""Read records one by one with their line numbers, and look into them without trusting them.

A record is any JSON object here: an operation works on files that are not yet fit for training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import read_records
from bedrock_rft_sim.data.record import blocking, text_of
from bedrock_rft_sim.stats.shares import counted

_PROMPT_ROLES = ("system", "user")


@dataclass(frozen=True, slots=True)
class DataRow:
    """One record of a JSONL file."""

    line: int
    """1-based."""
    record: dict[str, Any]
    source: str | None = None
    """The file it was read from, for manifests; None for a row made up on the way."""


@dataclass(slots=True)
class Unusable:
    """The rows that `rft data check` refuses, so that no operation passes them on in silence."""

    count: int = 0
    first: str = ""
    """Where the first stands, and what is wrong with it."""

    def look_at(self, record: Mapping[str, Any], line: int) -> None:
        """Count the record if it can't be trained on."""
        broken = next(blocking(record, line), None)
        if broken is not None:
            self.count += 1
            self.first = self.first or f"line {line}: {broken.what}"

    @property
    def words(self) -> str:
        """Return how many there are, the first, and what comes of them."""
        which = f"{counted(self.count, 'row')} can't be trained on (the first is {self.first})"
        return f"{which}: rft data check refuses the file"


def read(path: str | Path) -> Iterator[DataRow]:
    """Yield the file's records in order.

    Raises:
        DataError: the file can't be read or a line is no JSON object; names the line.
    """
    for line, record in read_records(path):
        yield DataRow(line, record, str(path))


def prompt_text(record: Mapping[str, Any]) -> str:
    """Return the text of all system and user messages, one after the other on lines of its own."""
    asked = (each for each in messages_of(record) if each.get("role") in _PROMPT_ROLES)
    return "\n".join(content_text(message.get("content")) for message in asked)


def messages_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages that are objects; none where there is no list of them."""
    messages = record.get("messages")
    return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []


def nested(value: Any, *keys: str | int) -> Any:
    """Return what stands at the keys, one inside the other; None where one is not there."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def digest(text: str) -> bytes:
    """Return a fingerprint of 8 bytes."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


def content_text(content: object) -> str:
    """Return the text of a message's content; none where it is neither text nor text parts."""
    return text_of(content) or ""


def reference_text(record: Mapping[str, Any]) -> str | None:
    """Return the reference as text: the worked solution where there is one, else the answer.

    An object with `steps` and `final_answer` (Nova's GSM8K shape) reads as GSM8K writes it: a line
    per step and the answer after `####`. Any other object is its only value, or its JSON.
    """
    reference = record.get("reference_answer")
    if isinstance(reference, str):
        return reference or None
    if not isinstance(reference, dict) or not reference:
        return None
    if "final_answer" in reference:
        steps = reference.get("steps")
        lines = [str(step) for step in steps] if isinstance(steps, list) else []
        return "\n".join([*lines, f"#### {reference['final_answer']}"])
    if len(reference) == 1:
        (value,) = reference.values()
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(reference, ensure_ascii=False, sort_keys=True)
