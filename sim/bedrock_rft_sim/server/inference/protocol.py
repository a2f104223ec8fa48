"""The lines between server and model process: one JSON object each, with the ask's number.

    to the process     {"ask": 1, "model": "tiny", "messages": […], "sampling": {…}, …}
                       {"unwanted": 1}
    from the process   {"ask": 1, "piece": "The"}
                       {"ask": 1, "answered": {…}}
                       {"ask": 1, "refused": "…"} the ask's own fault
                       {"ask": 1, "failed": "…"}  the model's

Sources: this project's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the line; JSON escapes every newline inside."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message of a line that the other side of this protocol wrote."""
    message: dict[str, Any] = json.loads(line)
    return message
