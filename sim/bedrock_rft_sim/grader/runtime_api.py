"""The Lambda Runtime API's side of the wire: read requests, reply in one send.

One small HTTP server on loopback per container, without a thread of its own: whoever waits for an
answer also serves.
Headers and body leave in one send, because two cost a delayed acknowledgement (about 40 ms a call).

It knows HTTP, not Lambda: what a request means is `container`'s business.
Source: AWS Lambda developer guide, "Using the Lambda runtime API".
"""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RECEIVE_BYTES = 256 * 1024
HEAD_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 16
"""Of one child, which needs one or two."""
REASONS = {200: "OK", 202: "Accepted", 404: "Not Found", 413: "Too Large"}


class WireError(ValueError):
    """What the child sent is not a request of the runtime API."""


@dataclass(frozen=True)
class Request:
    """One complete HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    length: int
    """Length of the body as announced; a body over the limit is not read."""


class Connection:
    """One client connection; requests on it come strictly one after the other."""

    def __init__(self, sock: socket.socket, *, body_max: int, send_s: float) -> None:
        sock.settimeout(send_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.closed = False
        self._body_max = body_max
        self._buffer = bytearray()

    def receive(self) -> Request | None:
        """Read what has arrived; a request once it is complete.

        Raises:
            WireError: it is no request, or more than one at a time.
        """
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except (ConnectionError, TimeoutError):
            data = b""
        if not data:
            self.closed = True
            return None
        self._buffer += data
        return self._take_request()

    def _take_request(self) -> Request | None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if max(head_end, 0 if head_end >= 0 else len(self._buffer)) > HEAD_BYTES_MAX:
            raise WireError(f"the head of a request is longer than {HEAD_BYTES_MAX:,} bytes")
        if head_end < 0:
            return None
        method, path, headers = _head(bytes(self._buffer[:head_end]))
        length = _length(headers)
        start = head_end + 4
        is_read = length <= self._body_max
        end = start + (length if is_read else 0)
        if len(self._buffer) < end:
            if headers.get("expect") == "100-continue" and len(self._buffer) == start:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        if is_read and len(self._buffer) > end:
            raise WireError("more was sent than Content-Length says")
        body = bytes(self._buffer[start:end])
        self._buffer.clear()
        return Request(method, path, headers, body, length)

    def reply(
        self, status: int, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send status, headers and body in one send; a client that has gone is not an error."""
        fields = {
            "Content-Type": "application/json",
            **(headers or {}),
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\n{lines}\r\n"
        self._send(head.encode("latin-1") + body)

    def _send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            self.closed = True


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - GET path HTTP/1.1
        raise WireError("what was sent is not HTTP")
    parted = (line.partition(":") for line in lines)
    return words[0], words[1], {name.lower(): value.strip() for name, _, value in parted}


def _length(headers: Mapping[str, str]) -> int:
    """Return the length of the body in bytes; none is announced where there is none."""
    text = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not (text.isascii() and text.isdigit()):
        raise WireError("a body came without a length in Content-Length")
    if len(text) > len(str(sys.maxsize)):
        raise WireError("Content-Length is out of range")
    return int(text)


class RuntimeApi:
    """The listening socket, its connections, and any other file to be read while waiting."""

    def __init__(self, *, body_max: int, send_s: float) -> None:
        """Take bodies up to `body_max` bytes; a client that reads nothing for `send_s` is left."""
        self._body_max, self._send_s = body_max, send_s
        self.fault: str | None = None
        """What was wrong with what the child sent, once something was."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        self._arrived: list[tuple[Connection, Request]] = []

    def watch(self, file: Any, callback: Callable[[], None]) -> None:
        """Call back whenever `file` can be read."""
        self._selector.register(file, selectors.EVENT_READ, callback)

    def unwatch(self, file: Any) -> None:
        """No longer wait for `file`."""
        self._selector.unregister(file)

    def wait(self, timeout_s: float) -> list[tuple[Connection, Request]]:
        """Requests that are complete within the time; returns early when anything happens."""
        for key, _ in self._selector.select(max(timeout_s, 0)):
            key.data()
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self) -> None:
        """Close every socket; a client that waits sees the connection end."""
        self._selector.close()
        for connection in self._connections:
            connection.sock.close()
        self._listener.close()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        if len(self._connections) >= CONNECTIONS_MAX:
            sock.close()
            self.fault = f"more than {CONNECTIONS_MAX} connections were opened"
            return
        connection = Connection(sock, body_max=self._body_max, send_s=self._send_s)
        self._connections.add(connection)
        self.watch(sock, lambda: self._receive(connection))

    def _receive(self, connection: Connection) -> None:
        try:
            request = connection.receive()
        except WireError as error:
            self.fault, connection.closed, request = str(error), True, None
        if request is not None:
            self._arrived.append((connection, request))
        elif connection.closed:
            self.unwatch(connection.sock)
            self._connections.discard(connection)
            connection.sock.close()
