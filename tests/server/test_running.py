"""The socket that the endpoint listens on."""

from __future__ import annotations

import socket

from bedrock_rft_sim.server.running import bind


def test_what_is_accepted_sends_small_answers_at_once() -> None:
    """asyncio switches Nagle's algorithm off only for a socket that says it is TCP."""
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.proto == socket.IPPROTO_TCP
