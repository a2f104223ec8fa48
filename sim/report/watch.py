"""The page of a run that is going on, served on this machine only.

Three GETs: the page, the numbers it draws, and one step's answers.  It listens on the loopback
address and answers only requests that name it so, which keeps a web page elsewhere from reading it
through a name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
import re
import threading
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
CHECK_EVERY_S: Final = 2.0
LINGER_CHECKS: Final = 5
"""After the run's end a page that is still open gets this many checks to notice."""
_BATCH: Final = re.compile(r"/batch/((?:train|validation)-\d{1,9})")


class Watch:
    """The server; `url` is there at once, `follow` returns when the run has ended."""

    def __init__(self, folder: RunFolder, *, port: int = 0) -> None:
        self._folder = folder
        self._ended_and_told = threading.Event()
        handler = _handler(Page(folder), self._ended_and_told)
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

    def follow(self, *, check_every_s: float = CHECK_EVERY_S) -> str:
        """Serve until the run has ended and open pages know; return its status."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        left = LINGER_CHECKS
        try:
            while left and not self._ended_and_told.wait(check_every_s):
                left -= not read_run(self._folder).going_on
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
        return read_run(self._folder).status


def _handler(page: Page, ended_and_told: threading.Event) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()  # the page reads the folder once at a time

    def html() -> str:
        with lock:
            return page.render(live=True)

    def numbers() -> str:
        with lock:
            data = page.data()
        if not data["live"]:
            ended_and_told.set()
        return json.dumps(data, allow_nan=False)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version, sys_version = "rft", ""

        def do_GET(self) -> None:
            if self.headers.get("Host") not in self._names():
                self._reply(HTTPStatus.FORBIDDEN, "text/plain", "unknown host\n")
                return
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
