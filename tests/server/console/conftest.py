"""A server with a finished job, a running one and a failed one, and a model that is a stub."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.jobs import BedrockDetails, Job, OpenAIDetails
from bedrock_rft_sim.report import Page
from bedrock_rft_sim.server.inference import ModelAnswer, ModelError, ModelRequest, TextPiece
from bedrock_rft_sim.server.mantle.jobs import remark_events
from tests.jobs.conftest import stub_command, wait_until
from tests.report.conftest import STEPS, make_run
from tests.report.test_browser import browser  # noqa: F401 - a fixture
from tests.server.aws_setup import rft_request
from tests.server.conftest import Endpoint, serve

BROKEN = "document.title='broken'"
HOSTILE_NAME = f'<img src=x onerror="{BROKEN}">\u202egnp'
HOSTILE_ANSWER = f'</pre><script>{BROKEN}</script><img src=x onerror="{BROKEN}">\x1b half \ud800'
REMARKS = ["rehearsal: the local model 'tiny' stands in for another", "rehearsal: ends after 4"]
FINISHED, WAITING, CRASHED = "finished", "openai.gpt-oss-20b", HOSTILE_NAME


class StubModels:
    """Answers in two pieces: the base model with hostile text, a tuned one with a right answer."""

    def __init__(self) -> None:
        self.asks: list[ModelRequest] = []

    async def stream(self, ask: ModelRequest) -> AsyncIterator[TextPiece | ModelAnswer]:
        self.asks.append(ask)
        if "die" in ask.messages[-1]["content"]:
            raise ModelError("the process of the model died")
        text = HOSTILE_ANSWER if ask.model == "tiny" else "#### 42"
        yield TextPiece(text[:5])
        yield TextPiece(text[5:])
        yield ModelAnswer(text, "stop", None, 7, 3)

    def close(self) -> None:
        """Nothing runs."""


def start(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    """Write a whole run at once, go on and on, or fail, as the job's name says."""
    if job.name == WAITING:
        return stub_command(steps=1000, pause_s=0.2)(recipe, job, resume)
    if job.name == CRASHED:
        return [sys.executable, "-c", "raise SystemExit('<b>no</b> data')"]
    with make_run(job.folder.parent, job.id) as run:
        run.append_event(message_event("Job <i>started</i> \u202e", created_at=1_700_000_000))
        for folder in (run.checkpoint(2), run.checkpoint(STEPS), run.model):
            folder.mkdir(parents=True)
        Page(run).write()
    return [sys.executable, "-c", ""]


def create(endpoint: Endpoint, name: str) -> Job:
    """Create a job as its API does."""
    if name == WAITING:
        method = {"type": "reinforcement", "reinforcement": {"grader": {}}}
        openai: dict[str, Any] = {"model": WAITING, "training_file": "f", "method": method}
        details = OpenAIDetails(0, remark_events(REMARKS))
        return endpoint.state.jobs.create(details, {}, name=name, request=openai)
    request = rft_request(name, bucket="b", function="f")
    bedrock = BedrockDetails("us-east-1", REMARKS)
    return endpoint.state.jobs.create(bedrock, {}, name=name, request=request)


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Return the endpoint; its jobs are there and as far as they come."""
    with ExitStack() as stack:
        root = tmp_path_factory.mktemp("console") / "root"
        endpoint = serve(stack, root, start=start, parallel=3)
        endpoint.state.models = StubModels()
        jobs = [create(endpoint, name) for name in (FINISHED, CRASHED)]
        wait_until(lambda: all(endpoint.state.jobs.get(job.id).has_ended for job in jobs))
        yield endpoint


@pytest.fixture(scope="package")
def finished(console: Endpoint) -> Job:
    """Return the completed job."""
    found = console.state.jobs.with_name("bedrock", FINISHED)
    assert found is not None
    assert found.status == "completed"
    return found


@pytest.fixture
def running_job(console: Endpoint) -> Iterator[Callable[[], Job]]:
    """Return a function that creates a job which goes on until it is stopped."""
    created: list[Job] = []

    def make() -> Job:
        job = create(console, WAITING)
        created.append(job)
        wait_until(lambda: console.state.jobs.get(job.id).status == "running")
        return job

    yield make
    for job in created:
        console.state.jobs.stop(job.id)
        wait_until(lambda job=job: console.state.jobs.get(job.id).has_ended)  # type: ignore[misc]
        shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)
