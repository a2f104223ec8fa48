"""A port that a handler calls: it can write no file that a test sees."""

from __future__ import annotations

import socket


class Called:
    """Counts calls on loopback; who called may wait until `let_go`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._callers: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def count(self) -> int:
        """How often it was called so far."""
        try:
            while True:
                self._callers.append(self._listener.accept()[0])
        except BlockingIOError:
            return len(self._callers)

    def once(self) -> bool:
        """Whether it was called at all."""
        return self.count() > 0

    def let_go(self) -> None:
        """End every call; no more are taken."""
        for each in (*self._callers, self._listener):
            each.close()
