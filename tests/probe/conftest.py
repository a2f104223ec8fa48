"""A loopback chat endpoint that behaves as a test scripts it, on a real socket."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Behaviour = Callable[[BaseHTTPRequestHandler], None]


def completion(
    text: str | None, *, reason: str | None = "stop", tokens: int | None = 5
) -> dict[str, Any]:
    usage = {} if tokens is None else {"usage": {"completion_tokens": tokens, "prompt_tokens": 7}}
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], **usage}


def answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def truncated(handler: BaseHTTPRequestHandler) -> None:
    """Announce more than is sent, then hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection without a word."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


class StandIn:
    """The endpoint: `script` is served in order, then `otherwise` for ever."""

    answer = staticmethod(answer)
    completion = staticmethod(completion)
    truncated = staticmethod(truncated)
    reset = staticmethod(reset)

    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.otherwise: Behaviour = answer(completion("#### 3"))
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self.asked = json.loads(self.rfile.read(length))
                stand_in.serve(self, self.asked)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_args: None  # a client that gave up is no error here
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append({"path": handler.path, "headers": dict(handler.headers), **body})
            behave = self.script.pop(0) if self.script else self.otherwise
        behave(handler)

    def hang(self, _handler: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        self.released.wait(30)

    def refusing(self, *names: str) -> Behaviour:
        """Behave as an endpoint that takes none of these parameters, and answers without them."""

        def behave(handler: Any) -> None:
            sent = [name for name in names if name in handler.asked]
            if sent:
                error = {"message": f"Unsupported parameter: '{sent[0]}'", "param": sent[0]}
                answer({"error": error}, status=400)(handler)
            else:
                answer(completion("#### 3"))(handler)

        return behave

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = StandIn()
    yield server
    server.close()
