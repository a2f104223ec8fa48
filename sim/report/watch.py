"""The page of a run that is going on, served on this machine only.

Three GETs: the page, the numbers it draws, and one step's answers.  It listens on the loopback
address and answers only requests that name it so, which keeps a web page elsewhere from reading it
through a name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import urlsplit

from sim.errors import RehearsalError
from sim.report import scripts
from sim.report.page import Page
from sim.report.reading import read_run
from sim.runfolder import RunFolder

LOOPBACK: Final = "127.0.0.1"
CHECK_EVERY_S: Final = 1.0
LINGER_S: Final = 6.0
"""After the run's end, as long as open pages go on asking and this long after the last time."""
_BATCH: Final = re.compile(r"/batch/((?:train|validation)-\d{1,9})")


class Watch:
    """The server; `url` is there at once, `follow` returns when the run has ended."""

    def __init__(self, folder: RunFolder, *, port: int = 0) -> None:
        self._folder = folder
        self._asked = _Asked()
        handler = _handler(Page(folder), self._asked)
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except OSError as error:
            raise RehearsalError(
                "the page can't be served",
                where=f"{LOOPBACK}:{port}",
                found=error.strerror or str(error),
                hint="choose another --port, or leave it out",
            ) from error
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/"

    def follow(self, *, check_every_s: float = CHECK_EVERY_S, linger_s: float = LINGER_S) -> str:
        """Serve until the run has ended and no open page asks any more; return its status."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        ended: float | None = None
        try:
            while ended is None or time.monotonic() < max(ended, self._asked.last) + linger_s:
                time.sleep(check_every_s)
                if ended is None and not read_run(self._folder).going_on:
                    ended = time.monotonic()
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
        return read_run(self._folder).status


class _Asked:
    """When a page last asked for something."""

    def __init__(self) -> None:
        self.last = 0.0

    def now(self) -> None:
        self.last = time.monotonic()


def _handler(page: Page, asked: _Asked) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()  # the page reads the folder once at a time

    def html() -> str:
        with lock:
            return page.render(live=True)

    def numbers() -> str:
        with lock:
            return json.dumps(page.data(), allow_nan=False)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version, sys_version = "rft", ""

        def do_GET(self) -> None:
            if self.headers.get("Host") not in self._names():
                self._reply(HTTPStatus.FORBIDDEN, "text/plain", "unknown host\n")
                return
            asked.now()
            path = urlsplit(self.path).path
            if path == "/":
                self._answer("text/html", html)
            elif path == "/data.json":
                self._answer("application/json", numbers)
            elif match := _BATCH.fullmatch(path):
                self._batch(match[1])
            else:
                self._reply(HTTPStatus.NOT_FOUND, "text/plain", "no such page\n")

        def _names(self) -> tuple[str, str]:
            port = cast("ThreadingHTTPServer", self.server).server_port
            return f"{LOOPBACK}:{port}", f"localhost:{port}"

        def _answer(self, kind: str, make: Callable[[], str]) -> None:
            try:
                body = make()
            except RehearsalError as error:
                self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{error}\n")
            else:
                self._reply(HTTPStatus.OK, kind, body)

        def _batch(self, identity: str) -> None:
            packed = page.batch(identity)
            if packed is None:
                self._reply(HTTPStatus.NOT_FOUND, "text/plain", "no such step\n")
            else:
                self._reply(HTTPStatus.OK, "text/plain", packed)

        def _reply(self, status: HTTPStatus, kind: str, body: str) -> None:
            content = body.encode("utf-8", "replace")
            self.send_response(status)
            for name, value in {
                "Content-Type": f"{kind}; charset=utf-8",
                "Content-Length": str(len(content)),
                "Cache-Control": "no-store",
                "Content-Security-Policy": scripts.policy(live=True),
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: a poll every two seconds is no news."""

    return Handler
