"""The console's endpoints: the page, its scripts, and what they fetch.

Starlette runs what is not async in a thread, so that whatever reads the disk holds up no other.
Deliberately no path that any SDK uses.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.report import html
from bedrock_rft_sim.server.console import playground, views
from bedrock_rft_sim.server.console.entries import ConsoleEntry, all_entries, find_entry
from bedrock_rft_sim.server.console.replies import (
    HEADERS,
    ConsoleError,
    demand_own_page,
    json_reply,
    read_body,
    reply,
)
from bedrock_rft_sim.server.guard import IS_KNOWN
from bedrock_rft_sim.server.inference import ModelRequest
from bedrock_rft_sim.server.state import ServerState

EVERY_MS: Final = 2000
"""How often an open page asks while a job goes on."""
GUESS_S: Final = 0.5
"""What a wrong token costs whoever tries it."""
JAVASCRIPT: Final = "text/javascript"
# A report runs the scripts whose hashes it names itself, and has no share in this origin.
_REPORT_POLICY: Final = "sandbox allow-scripts; frame-ancestors 'none'"


class ConsoleEndpoints:
    """The endpoints."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    # The page

    def page(self, request: Request) -> Response:
        """Answer with the page, or the one that asks for the token."""
        name = "page.html" if request.scope[IS_KNOWN] else "sign-in.html"
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        page = _own(name).replace("%NONCE%", nonce).replace("%EVERY_MS%", str(EVERY_MS))
        page = page.replace("%CSS%", html.own("page.css") + _own("console.css"))
        return reply(page, "text/html", headers={"content-security-policy": policy})

    def sign_in_script(self, _request: Request) -> Response:
        """Answer with the script of the page that asks for the token."""
        return reply(_own("sign-in.js"), JAVASCRIPT)

    async def sign_in(self, request: Request) -> Response:
        """Answer the right token with a cookie that stands for it."""
        demand_own_page(request)
        token = (await read_body(request)).get("token")
        if not isinstance(token, str) or not self._state.session.accepts(token):
            await asyncio.sleep(GUESS_S)
            raise ConsoleError("this is not the endpoint's token", status=403)
        cookie = self._state.session.cookie(request.headers["host"])
        return json_reply({}, headers={"set-cookie": cookie})

    def script(self, _request: Request) -> Response:
        """Answer with the page's script."""
        return reply(html.own("curves.js") + _own("console.js"), JAVASCRIPT)

    def library(self, request: Request) -> Response:
        """Answer with plotly.js, as the installed package has it."""
        packed = html.plotly()
        if packed is None:
            raise ConsoleError("plotly is not installed: pip install plotly", status=404)
        content, digest = packed
        headers = {"etag": f'"{digest}"', "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return reply(b"", JAVASCRIPT, status=304, headers=headers)
        headers["content-encoding"] = "gzip"
        return reply(base64.b64decode(content), JAVASCRIPT, headers=headers)

    # Jobs

    def jobs(self, _request: Request) -> Response:
        """Answer with the jobs of both APIs and the runs of `rft run`, newest first."""
        found = [views.summary(each) for each in all_entries(self._state)]
        found.sort(key=lambda each: each["created"] or 0, reverse=True)
        return json_reply({"jobs": found})

    def job(self, request: Request) -> Response:
        """Answer with one job or run; a page that knows it already gets only that."""
        entry = self._entry(request)
        tag = f'"{views.mark(entry)}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return reply(b"", "application/json", status=304, headers=headers)
        return json_reply(views.detail(self._state, entry), headers=headers)

    def report(self, request: Request) -> Response:
        """Answer with the run's own report, as the run wrote it."""
        try:
            page = self._entry(request).folder.report.read_bytes()
        except OSError as error:
            raise ConsoleError("there is no report yet", status=404) from error
        return reply(page, "text/html", headers={"content-security-policy": _REPORT_POLICY})

    def examples(self, request: Request) -> Response:
        """Answer with prompts of the run that the playground offers."""
        return json_reply({"examples": views.examples(self._entry(request))})

    def stop(self, request: Request) -> Response:
        """Ask the job to stop after the step in progress."""
        demand_own_page(request)
        entry = self._entry(request)
        if entry.job is None:
            raise ConsoleError("rft run started this; stop it there, with Ctrl-C", status=409)
        if entry.job.has_ended:
            raise ConsoleError("this job has ended already", status=409)
        return json_reply({"status": self._state.jobs.stop(entry.id).status})

    # The playground

    async def ask(self, request: Request) -> Response:
        """Answer in lines of JSON: pieces as they are written, then the whole answer."""
        demand_own_page(request)
        entry = await run_in_threadpool(self._entry, request)
        body = await read_body(request)
        question = await run_in_threadpool(playground.read_question, self._state, entry, body)
        kind = "application/x-ndjson"
        return StreamingResponse(self._lines(question), media_type=kind, headers=HEADERS)

    async def _lines(self, question: ModelRequest) -> AsyncIterator[str]:
        stream = self._state.models.stream(question)
        try:
            async for each in stream:
                yield playground.as_line(each)
        except RehearsalError as error:
            yield json.dumps({"error": str(error)}) + "\n"
        finally:
            await stream.aclose()

    def _entry(self, request: Request) -> ConsoleEntry:
        return find_entry(self._state, request.path_params["job_id"])


def _own(name: str) -> str:
    return files("bedrock_rft_sim.server.console").joinpath(name).read_text(encoding="utf-8")
