"""The page of a run that has not ended, served on this machine only.

Three GETs: the page, the numbers it draws, and one step's answers.  It listens on the loopback
address and answers only requests that name it so, which keeps a web page elsewhere from reading it
through a name of its own (DNS rebinding).
"""

from __future__ import annotations

import json
import re
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import urlsplit

from bedrock_rft_sim.errors import RehearsalError, RunFolderError
from bedrock_rft_sim.files import named_errors
from bedrock_rft_sim.report import html
from bedrock_rft_sim.report.page import Page
from bedrock_rft_sim.runs import Run, RunFolder

LOOPBACK: Final = "127.0.0.1"
CHECK_EVERY_S: Final = 1.0
LINGER_S: Final = 6.0
"""After the run's end, as long as open pages go on asking and this long after the last time."""
_BATCH: Final = re.compile(r"/batch/((?:train|validation)-\d{1,9})")


class _Server(ThreadingHTTPServer):
    """One run's page, read once at a time, and when it was last requested."""

    daemon_threads = True

    def __init__(self, folder: RunFolder, port: int, *, bands: bool = False) -> None:
        self.page = Page(folder, bands=bands)
        self.lock = threading.Lock()
        self.last_used = 0.0
        super().__init__((LOOPBACK, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = 10
    server_version, sys_version = "rft", ""

    def do_GET(self) -> None:
        served = cast("_Server", self.server)
        names = (f"{LOOPBACK}:{served.server_port}", f"localhost:{served.server_port}")
        if self.headers.get("Host") not in names:
            self._reply(HTTPStatus.FORBIDDEN, "text/plain", "unknown host\n")
            return
        served.last_used = time.monotonic()
        try:
            with served.lock:
                kind, body = _content(served.page, urlsplit(self.path).path)
        except RehearsalError as error:
            self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{error}\n")
            return
        if body is None:
            self._reply(HTTPStatus.NOT_FOUND, "text/plain", "there is nothing here\n")
        else:
            self._reply(HTTPStatus.OK, kind, body)

    def _reply(self, status: HTTPStatus, kind: str, body: str) -> None:
        content = body.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": html.policy(html.run_script(), live=True),
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a poll every two seconds is no news."""


def _content(page: Page, path: str) -> tuple[str, str | None]:
    """Return what stands under a path, with its media type; None where nothing does."""
    if path == "/":
        return "text/html", page.render(live=True)
    if path == "/data.json":
        return "application/json", json.dumps(page.data(), allow_nan=False)
    match = _BATCH.fullmatch(path)
    return "text/plain", page.batch(match[1]) if match else None


class Watch:
    """The server; `url` is there at once, `follow` returns when the run has ended."""

    def __init__(self, folder: RunFolder, *, port: int = 0, bands: bool = False) -> None:
        self._folder = folder
        where, hint = f"{LOOPBACK}:{port}", "choose another --port, or leave it out"
        with named_errors(where, "serve the page", kind=RehearsalError, hint=hint):
            self._server = _Server(folder, port, bands=bands)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/"

    def follow(self, *, check_every_s: float = CHECK_EVERY_S, linger_s: float = LINGER_S) -> str:
        """Serve until the run has ended and no open page asks any more; return its status."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        ended: float | None = None
        try:
            while ended is None or time.monotonic() < max(ended, self._server.last_used) + linger_s:
                time.sleep(check_every_s)
                if ended is None and self._has_ended():
                    ended = time.monotonic()
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
        return Run.read(self._folder).status

    def _has_ended(self) -> bool:
        """Whether the run has ended; one that can't be read has not, while its folder is there.

        Whoever asks for the page is told what is wrong.
        """
        try:
            return not Run.read(self._folder).going_on
        except RunFolderError:
            if not self._folder.path.is_dir():
                raise
            return False
