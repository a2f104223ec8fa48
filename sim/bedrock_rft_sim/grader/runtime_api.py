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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RECEIVE_BYTES = 256 * 1024
REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 413: "Too Large"}


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

    def __init__(self, sock: socket.socket, *, body_max: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.closed = False
        self._body_max = body_max
        self._buffer = bytearray()

    def receive(self) -> Request | None:
        """Read what has arrived; a request once it is complete."""
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return None
        self._buffer += data
        return self._take_request()

    def _take_request(self) -> Request | None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        first, *lines = self._buffer[:head_end].decode("latin-1").split("\r\n")
        parted = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in parted}
        length = int(headers.get("content-length", 0))
        start = head_end + 4
        end = start + (length if length <= self._body_max else 0)
        if len(self._buffer) < end:
            if headers.get("expect") == "100-continue" and len(self._buffer) == start:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        method, path, _ = first.split(" ", 2)
        body = bytes(self._buffer[start:end])
        del self._buffer[:end]
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


class RuntimeApi:
    """The listening socket, its connections, and any other file to be read while waiting."""

    def __init__(self, *, body_max: int) -> None:
        self._body_max = body_max
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
        connection = Connection(sock, body_max=self._body_max)
        self._connections.add(connection)
        self.watch(sock, lambda: self._receive(connection))

    def _receive(self, connection: Connection) -> None:
        request = connection.receive()
        if request is not None:
            self._arrived.append((connection, request))
        elif connection.closed:
            self.unwatch(connection.sock)
            self._connections.discard(connection)
            connection.sock.close()
