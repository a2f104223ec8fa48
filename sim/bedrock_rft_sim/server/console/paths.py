"""The console's paths: the page, its scripts, and what they ask for.

Whatever reads the disk runs in a thread.  Deliberately no path that any SDK uses.
Sources: none of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.report import scripts
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.server.console import views
from bedrock_rft_sim.server.console.replies import (
    HEADERS,
    ConsoleError,
    json_reply,
    read_body,
    refusing,
    reply,
)
from bedrock_rft_sim.server.console.standing import BASE, model_behind
from bedrock_rft_sim.server.guard import IS_KNOWN
from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest, TextPiece, models_of
from bedrock_rft_sim.server.state import ServerState

EVERY_MS: Final = 2000
"""How often an open page asks while a job goes on."""
GUESS_S: Final = 0.5
"""What a wrong token costs whoever tries it."""
TOKENS_DEFAULT: Final = 256
TOKENS_MAX: Final = 4096
JAVASCRIPT: Final = "text/javascript"
# A report runs the scripts whose hashes it names itself, and has no share in this origin.
_REPORT_POLICY: Final = "sandbox allow-scripts; frame-ancestors 'none'"


def routes(state: ServerState) -> list[BaseRoute]:
    """Return the routes."""
    console = Console(state)
    table = (
        ("GET", "", console.page),
        ("GET", "/", console.page),
        ("GET", "/sign-in.js", console.sign_in_script),
        ("POST", "/sign-in", console.sign_in),
        ("GET", "/console.js", console.script),
        ("GET", "/plotly.js", console.library),
        ("GET", "/jobs", console.jobs),
        ("GET", "/jobs/{job_id}", console.job),
        ("GET", "/jobs/{job_id}/report", console.report),
        ("GET", "/jobs/{job_id}/examples", console.examples),
        ("POST", "/jobs/{job_id}/stop", console.stop),
        ("POST", "/jobs/{job_id}/ask", console.ask),
    )
    return [
        Route(f"/console{path}", refusing(endpoint), methods=[method])
        for method, path, endpoint in table
    ]


class Console:
    """The endpoints."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    # The page

    async def page(self, request: Request) -> Response:
        """Answer with the page, or the one that asks for the token."""
        name = "page.html" if request.scope[IS_KNOWN] else "sign-in.html"
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        html = _own(name).replace("%NONCE%", nonce).replace("%EVERY_MS%", str(EVERY_MS))
        html = html.replace("%CSS%", scripts.own("page.css") + _own("console.css"))
        return reply(html, "text/html", headers={"content-security-policy": policy})

    async def sign_in_script(self, _request: Request) -> Response:
        """Answer with the script of the page that asks for the token."""
        return reply(_own("sign-in.js"), JAVASCRIPT)

    async def sign_in(self, request: Request) -> Response:
        """Answer the right token with a cookie that stands for it."""
        token = (await read_body(request)).get("token")
        if not isinstance(token, str) or not self._state.session.accepts(token):
            await asyncio.sleep(GUESS_S)
            raise ConsoleError("this is not the endpoint's token", status=403)
        cookie = self._state.session.cookie(request.headers["host"])
        return json_reply({}, headers={"set-cookie": cookie})

    async def script(self, _request: Request) -> Response:
        """Answer with the page's script."""
        return reply(scripts.own("curves.js") + _own("console.js"), JAVASCRIPT)

    async def library(self, request: Request) -> Response:
        """Answer with plotly.js, as the installed package has it."""
        packed = await run_in_threadpool(scripts.plotly)
        if packed is None:
            raise ConsoleError("plotly is not installed: pip install plotly", status=404)
        content, digest = packed
        headers = {"etag": f'"{digest}"', "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return reply(b"", JAVASCRIPT, status=304, headers=headers)
        headers["content-encoding"] = "gzip"
        return reply(base64.b64decode(content), JAVASCRIPT, headers=headers)

    # Jobs

    async def jobs(self, _request: Request) -> Response:
        """Answer with both kinds of jobs, newest first."""
        return json_reply({"jobs": await run_in_threadpool(self._jobs)})

    def _jobs(self) -> list[dict[str, Any]]:
        jobs = [*self._state.jobs.list("bedrock"), *self._state.jobs.list("openai")]
        jobs.sort(key=lambda job: job.created, reverse=True)
        return [views.summary(job) for job in jobs]

    async def job(self, request: Request) -> Response:
        """Answer with one job; a page that knows it already is told only that."""
        job = await self._job(request)
        tag = f'"{await run_in_threadpool(views.mark, self._state, job)}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return reply(b"", "application/json", status=304, headers=headers)
        shown = await run_in_threadpool(views.detail, self._state, job)
        return json_reply(shown, headers=headers)

    async def report(self, request: Request) -> Response:
        """Answer with the run's own report, as the run wrote it."""
        path = RunFolder((await self._job(request)).folder, None).report
        try:
            html = await run_in_threadpool(path.read_bytes)
        except OSError as error:
            raise ConsoleError("this job has no report yet", status=404) from error
        return reply(html, "text/html", headers={"content-security-policy": _REPORT_POLICY})

    async def examples(self, request: Request) -> Response:
        """Answer with prompts of the run that the playground offers."""
        job = await self._job(request)
        return json_reply({"examples": await run_in_threadpool(views.examples, job)})

    async def stop(self, request: Request) -> Response:
        """Ask the job to stop after the step in progress."""
        job = await self._job(request)
        if job.has_ended:
            raise ConsoleError("this job has ended already", status=409)
        return json_reply(views.summary(await run_in_threadpool(self._state.jobs.stop, job.id)))

    # The playground

    async def ask(self, request: Request) -> Response:
        """Answer in lines of JSON: pieces as they are written, then the whole answer."""
        job = await self._job(request)
        body = await read_body(request)
        ask = await run_in_threadpool(self._read_ask, job, body)
        kind = "application/x-ndjson"
        return StreamingResponse(self._lines(ask), media_type=kind, headers=HEADERS)

    def _read_ask(self, job: Job, body: dict[str, Any]) -> ModelRequest:
        run = _run(job)
        prompt, system = body.get("prompt"), body.get("system", "")
        if not isinstance(prompt, str) or not isinstance(system, str) or not prompt.strip():
            raise ConsoleError("there is nothing to ask: the prompt is empty")
        tokens = body.get("max_tokens", TOKENS_DEFAULT)
        if type(tokens) is not int or not 1 <= tokens <= TOKENS_MAX:
            raise ConsoleError(f"the answer may have from 1 to {TOKENS_MAX:,} tokens")
        is_sampled = body.get("sampled") is True
        turns = [{"role": "system", "content": system}] if system.strip() else []
        return ModelRequest(
            model=model_behind(self._state, job, run, str(body.get("model", BASE))),
            messages=[*turns, {"role": "user", "content": prompt}],
            max_tokens=tokens,
            temperature=_number(run, "temperature", 1.0) if is_sampled else 0.0,
            top_p=_number(run, "top_p", 1.0) if is_sampled else 1.0,
            top_k=int(_number(run, "top_k", 0)) if is_sampled else 0,
            template=(run.local("chatTemplateKwargs") if run is not None else None) or {},
        )

    async def _lines(self, ask: ModelRequest) -> AsyncIterator[str]:
        told = models_of(self._state).stream(ask)
        try:
            async for each in told:
                yield _line(each)
        except RehearsalError as error:
            yield json.dumps({"error": str(error)}) + "\n"
        finally:
            await told.aclose()

    async def _job(self, request: Request) -> Job:
        return await run_in_threadpool(self._state.jobs.get, request.path_params["job_id"])


def _line(told: TextPiece | ModelAnswer) -> str:
    if isinstance(told, TextPiece):
        return json.dumps({"piece": told.text}) + "\n"
    answered = {
        "text": told.text,
        "stop": told.stop_reason,
        "tokens": told.completion_tokens,
        "prompt_tokens": told.prompt_tokens,
    }
    return json.dumps({"answered": answered}) + "\n"


def _run(job: Job) -> Run | None:
    folder = RunFolder(job.folder, None)
    return Run.read(folder) if folder.record.is_file() else None


def _number(run: Run | None, name: str, default: float) -> float:
    value = run.setting(name) if run is not None else None
    return float(value) if isinstance(value, int | float) else default


def _own(name: str) -> str:
    return files("bedrock_rft_sim.server.console").joinpath(name).read_text(encoding="utf-8")
