"""Write frames of AWS's event stream: what boto3 reads piece by piece.

    total length, length of the headers, CRC-32 of these eight bytes     4 bytes each
    headers: length of the name, name, 7 for a string, length, text      1, n, 1, 2, n bytes
    payload, CRC-32 of all before                                        n, 4 bytes

Sources: AWS documentation, application/vnd.amazon.eventstream; botocore/eventstream.py, which
reads it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_STRING: Final = 7
_AROUND: Final = 16  # prelude of 12 bytes and the last checksum


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", _AROUND + len(head) + len(payload), len(head))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack("!I", zlib.crc32(body))


def _header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    length = struct.pack("!BH", _STRING, len(value_bytes))
    return struct.pack("!B", len(name_bytes)) + name_bytes + length + value_bytes


def event(name: str, value: Mapping[str, Any]) -> bytes:
    """Return an event, by its name in the service model."""
    return _message("event", name, value)


def exception(name: str, message: str) -> bytes:
    """Return an exception in the midst of a stream, by its name in the service model."""
    return _message("exception", name, {"message": message})


def _message(kind: str, name: str, value: Mapping[str, Any]) -> bytes:
    headers = {":content-type": "application/json", ":message-type": kind}
    return frame({f":{kind}-type": name, **headers}, json.dumps(value).encode())
