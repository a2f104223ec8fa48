"""The OpenAI-shaped doors on a real socket, with a stub training behind them, and a real client."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openai import OpenAI
from starlette.applications import Starlette

from sim.jobs import Job, Jobs
from sim.server.lambda_.store import Functions
from sim.server.mantle import routes
from sim.server.state import ServerState

STUB = Path(__file__).with_name("stub_run.py")
ARN = "arn:aws:lambda:us-west-2:123456789012:function:reward"
PATIENCE_S = 30.0
# What the stub does, told by the number of epochs that a job asks for.
THEN = {1: "end", 2: "wait", 3: "fail"}
REWARD = """
def lambda_handler(event, context):
    if "crash" in event[0]["messages"][-1]["content"]:
        raise ValueError("no number in sight")
    if "silent" in event[0]["messages"][-1]["content"]:
        return []
    return [
        {
            "id": each["id"],
            "aggregate_reward_score": float(each["reference_answer"]["text"] in
                                            each["messages"][-1]["content"]),
            "metrics_list": [{"name": "accuracy", "value": 0.5, "type": "Reward"}],
        }
        for each in event
    ]
"""


def stub_command(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    hyperparameters = job.request["method"]["reinforcement"]["hyperparameters"]
    then = THEN[hyperparameters["n_epochs"]]
    return [sys.executable, str(STUB), str(job.folder.parent), job.id, then]


def add_reward(functions: Functions, name: str = "reward") -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("lambda_function.py", REWARD)
    latest = {
        "Handler": "lambda_function.lambda_handler",
        "Timeout": 3,
        "MemorySize": 256,
        "Version": "$LATEST",
        **functions.keep_code(content.getvalue()),
    }
    arn = f"arn:aws:lambda:us-west-2:123456789012:function:{name}"
    record = {"arn": arn, "versions": {"$LATEST": latest}, "aliases": {}, "next": 1, "tags": {}}
    functions.save(name, record)


@pytest.fixture(scope="session")
def mantle_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerState]:
    root = tmp_path_factory.mktemp("mantle")
    nothing: Any = None
    state = ServerState(
        root=root,
        jobs=Jobs(root, start=stub_command),
        s3=nothing,
        iam=nothing,
        functions=Functions(root / "functions"),
        deployments=nothing,
    )
    add_reward(state.functions)
    yield state
    for close in reversed(state.closers):
        close()
    state.functions.close()
    state.jobs.close()


@pytest.fixture(scope="session")
def mantle_url(mantle_state: ServerState) -> Iterator[str]:
    config = uvicorn.Config(
        Starlette(routes=routes(mantle_state)), port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def client(mantle_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{mantle_url}/v1", api_key="local", max_retries=0) as made:
        yield made


def records(count: int) -> bytes:
    lines = (
        {
            "messages": [{"role": "user", "content": f"What is {n} + 1?"}],
            "reference_answer": str(n + 1),
        }
        for n in range(count)
    )
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.fixture(scope="session")
def training_file(client: OpenAI) -> str:
    return client.files.create(file=("train.jsonl", records(100)), purpose="fine-tune").id


def method(epochs: int = 1, **grader: Any) -> dict[str, Any]:
    return {
        "type": "reinforcement",
        "reinforcement": {
            "grader": {"type": "lambda", "lambda": {"function": ARN}, **grader},
            "hyperparameters": {"n_epochs": epochs, "batch_size": 4},
        },
    }


@pytest.fixture
def create(client: OpenAI, training_file: str) -> Any:
    """Return a function that creates a job; what the stub does depends on the epochs."""

    def make(epochs: int = 1, **others: Any) -> Any:
        others.setdefault("training_file", training_file)
        others.setdefault("model", "openai.gpt-oss-20b")
        return client.fine_tuning.jobs.create(
            extra_body={"method": method(epochs)} | others.pop("extra_body", {}), **others
        )

    return make


@pytest.fixture
def wait_for(client: OpenAI) -> Any:
    """Return a function that polls a job until it has a status."""

    def wait(job_id: str, *statuses: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while (job := client.fine_tuning.jobs.retrieve(job_id)).status not in statuses:
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        return job

    return wait


@pytest.fixture(scope="session")
def finished(client: OpenAI, training_file: str) -> Any:
    """Return a job that succeeded."""
    job = client.fine_tuning.jobs.create(
        model="openai.gpt-oss-20b",
        training_file=training_file,
        extra_body={"method": method(1)},
    )
    deadline = time.monotonic() + PATIENCE_S
    while job.status != "succeeded":
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = client.fine_tuning.jobs.retrieve(job.id)
    return job
