"""Listen: the application on a socket, until it is to stop.

Slow clients lose their connection: one that opens it and sends no whole request, and, by the
guard, one whose body trickles.
Sources: uvicorn 0.54 (`uvicorn.Server`, `H11Protocol`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server.app import build
from bedrock_rft_sim.server.guard import LOOPBACK, PATIENCE_S
from bedrock_rft_sim.server.state import ServerState

KEEP_ALIVE_S = 65
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - recognised, not chosen


class ListenError(RehearsalError, OSError):
    """The address can't be listened on."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on who does not finish a request's head in time."""

    patience_s = PATIENCE_S

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a request has begun."""
        super().data_received(data)
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy:
            self._stop_waiting()
        elif self._deadline is None:
            self._await_head()

    def on_response_complete(self) -> None:
        """Wait again where the next request has begun already."""
        super().on_response_complete()
        is_begun = bool(self.conn.trailing_data[0])
        if is_begun and self._deadline is None and not self.transport.is_closing():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.patience_s, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if not is_busy and not self.transport.is_closing():
            self.transport.close()


class EndingServer(uvicorn.Server):
    """A uvicorn server that calls `end`, in a thread, as soon as it is to stop.

    What answers wait for thus ends while the server waits for the answers; else a handler that
    sleeps would use up the time in which the children of jobs end cleanly.
    """

    def __init__(self, config: uvicorn.Config, *, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, end, and wait for both."""
        ending = asyncio.create_task(asyncio.to_thread(self._end))
        await super().shutdown(sockets)
        await ending


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    return host.lower() in LOOPBACK


def bind(host: str, port: int) -> socket.socket:
    """Take the port; 0 takes a free one.

    Raises:
        ListenError: it is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named asyncio sends small pieces at once; else many answers take 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:  # the last two: a name that can't be one
        listener.close()
        raise ListenError(
            "can't listen here",
            where=f"{host}:{port}",
            found=getattr(error, "strerror", None) or str(error),
            hint="choose another --port; 0 takes a free one",
        ) from error
    return listener


def server_of(state: ServerState) -> uvicorn.Server:
    """Return the server, not yet listening."""
    config = uvicorn.Config(
        build(state),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )
    return EndingServer(config, end=state.end)


def url_of(listener: socket.socket) -> str:
    """Return the address to give to clients; where it listens on all, this machine's name."""
    host, port = listener.getsockname()[:2]
    if host in EVERYWHERE:
        return f"http://{socket.gethostname()}:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
