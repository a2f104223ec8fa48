"""The OpenAI-shaped API on a real socket, with a stub training behind them, and a real client."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.server.state import ServerState
from tests.server.aws_setup import create_role, zipped
from tests.server.conftest import Endpoint, serve
from tests.server.shared_models import shared_models

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


def create_function(endpoint: Endpoint, name: str, code: str) -> None:
    """Create a function where open-weight models are tuned."""
    endpoint.client("lambda", region="us-west-2").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=create_role(endpoint.client),
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": zipped(lambda_function=code)},
        MemorySize=256,
    )


@pytest.fixture(scope="session")
def mantle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with ExitStack() as stack:
        root = tmp_path_factory.mktemp("mantle") / "root"
        endpoint = serve(stack, root, start=stub_command, region="us-west-2")
        endpoint.state.models = shared_models()
        create_function(endpoint, "reward", REWARD)
        yield endpoint


@pytest.fixture(scope="session")
def mantle_state(mantle: Endpoint) -> ServerState:
    return mantle.state


@pytest.fixture(scope="session")
def mantle_url(mantle: Endpoint) -> str:
    return mantle.url


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
