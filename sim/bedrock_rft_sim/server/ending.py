"""The server's end: what answers wait for is ended while the server waits for the answers.

Otherwise a handler that sleeps would use up the time in which the children of jobs end cleanly.
Sources: uvicorn 0.54 (`uvicorn.Server.shutdown`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn


class EndingServer(uvicorn.Server):
    """A uvicorn server that calls `end`, in a thread, as soon as it is to stop."""

    def __init__(self, config: uvicorn.Config, *, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, end, and wait for both."""
        ending = asyncio.create_task(asyncio.to_thread(self._end))
        await super().shutdown(sockets)
        await ending
