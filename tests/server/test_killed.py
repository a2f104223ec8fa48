"""`kill -9` of `rft serve` and its trainers at random moments: nothing acknowledged is lost.

The process is the real one, on a real socket; only the training is a stub.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from bedrock_rft_sim.jobs.children import Child
from tests.jobs.conftest import STUB, wait_until
from tests.server.aws_setup import create_role, records, rft_request, zipped

STEPS = 40
PAUSE_S = 0.05
ROUNDS = 4
BUCKET = "kept"
KINDS = ("put", "put", "remove", "function", "job", "job", "deploy", "undeploy")
SERVER = """
import functools, sys
import bedrock_rft_sim.server.state as state

def command(recipe, job, resume):
    parts = [sys.executable, {stub!r}, str(job.folder.parent), job.id, "{steps}", "{pause}"]
    return parts + (["--resume"] if resume else [])

state.ServerState = functools.partial(state.ServerState, start=command)
from bedrock_rft_sim.cli import main
options = ["--port", "0", "--parallel", "2", "--pending", "0", "--json", "--no-token"]
sys.exit(main(["serve", "--root", {root!r}, *options]))
"""


@dataclass
class Story:
    """What the server has acknowledged, and what it was asked when it died."""

    objects: dict[str, bytes] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    """Names and the hashes of their code."""
    deployments: set[str] = field(default_factory=set)
    jobs: list[str] = field(default_factory=list)
    """Newest first."""
    unsure: str | None = None
    """The name of what may be there or not."""


class Server:
    """One process of `rft serve`."""

    def __init__(self, root: Path, *, steps: int = STEPS) -> None:
        script = SERVER.format(stub=str(STUB), root=str(root), steps=steps, pause=PAUSE_S)
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.clients: dict[str, Any] = {}

    def ready(self) -> Callable[[str], Any]:
        """Wait until it serves; return a function that makes clients."""
        assert self.process.stdout is not None
        url = json.loads(self.process.stdout.readline())["url"]
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        config = Config(retries={"total_max_attempts": 1}, read_timeout=20)

        def client(service: str) -> Any:
            if service not in self.clients:
                options: dict[str, Any] = {"endpoint_url": url, "config": config, **keys}
                self.clients[service] = boto3.client(service, region_name="us-east-1", **options)
            return self.clients[service]

        return client

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def trainers(root: Path) -> list[int]:
    """Return the processes that hold a job's lock."""
    locks = list((root / "children").glob("*.lock"))
    alive = [lock for lock in locks if Child.left_behind(lock=lock, log=lock) is not None]
    return [int(text) for lock in alive if (text := lock.read_text())]


def kill_trainers(root: Path) -> int:
    found = trainers(root)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(trainers(root)) & set(found))
    return len(found)


@contextmanager
def cleaned_up(root: Path, servers: list[Server]) -> Iterator[None]:
    try:
        yield
    finally:
        for server in servers:
            server.kill()
            for client in server.clients.values():
                client.close()
        kill_trainers(root)


def act(client: Callable[[str], Any], story: Story, dice: random.Random) -> None:
    """Do one thing as a client does, and note what was acknowledged."""
    kind = dice.choice(KINDS)
    name = story.unsure = f"{kind}-{dice.randrange(10**9)}"
    if kind == "put":
        body = dice.randbytes(dice.randrange(2000))
        client("s3").put_object(Bucket=BUCKET, Key=name, Body=body)
        story.objects[name] = body
    elif kind == "remove" and story.objects:
        name = story.unsure = dice.choice(sorted(story.objects))
        client("s3").delete_object(Bucket=BUCKET, Key=name)
        del story.objects[name]
    elif kind == "function":
        story.functions[name] = make_function(client, name)
    elif kind == "job" and len(story.jobs) < 7:
        request = rft_request(name, bucket="data", function="reward")
        created = client("bedrock").create_model_customization_job(**request)
        story.jobs.insert(0, created["jobArn"])
    elif kind == "deploy":
        models = client("bedrock").list_custom_models()["modelSummaries"]
        asked = {"modelDeploymentName": name, "modelArn": models[0]["modelArn"]}
        client("bedrock").create_custom_model_deployment(**asked)
        story.deployments.add(name)
    elif kind == "undeploy" and story.deployments:
        name = story.unsure = dice.choice(sorted(story.deployments))
        client("bedrock").delete_custom_model_deployment(customModelDeploymentIdentifier=name)
        story.deployments.remove(name)
    story.unsure = None


def make_function(client: Callable[[str], Any], name: str) -> str:
    code = zipped(lambda_function=f"def lambda_handler(event, context):\n    return {name!r}\n")
    made = client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=create_role(client),
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": code},
    )
    sha: str = made["CodeSha256"]
    return sha


def live(client: Callable[[str], Any], story: Story, dice: random.Random) -> None:
    """Act until the server is gone."""
    try:
        while True:
            act(client, story, dice)
    except (HTTPClientError, NoConnection):
        pass


def seen(client: Callable[[str], Any]) -> Story:
    """Read everything back."""
    bedrock, s3 = client("bedrock"), client("s3")

    def every(service: Any, operation: str, key: str, **params: str) -> list[Any]:
        pages = service.get_paginator(operation).paginate(**params)
        return [one for page in pages for one in page.get(key, [])]

    keys = [one["Key"] for one in every(s3, "list_objects_v2", "Contents", Bucket=BUCKET)]
    objects = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    functions = every(client("lambda"), "list_functions", "Functions")
    deployments = every(bedrock, "list_custom_model_deployments", "modelDeploymentSummaries")
    jobs = every(bedrock, "list_model_customization_jobs", "modelCustomizationJobSummaries")
    return Story(
        objects=objects,
        functions={one["FunctionName"]: one["CodeSha256"] for one in functions},
        deployments={one["customModelDeploymentName"] for one in deployments},
        jobs=[one["jobArn"] for one in jobs],
    )


def check(before: Story, after: Story) -> None:
    """Hold what is there against what was acknowledged; only what was under way is unsure."""

    def sure(kept: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in kept.items() if name != before.unsure}

    assert sure(after.objects) == sure(before.objects)
    assert sure(after.functions) == sure(before.functions)
    assert after.deployments ^ before.deployments <= {before.unsure}
    extra = len(after.jobs) - len(before.jobs)
    assert extra in (0, 1 if (before.unsure or "").startswith("job-") else 0)
    assert after.jobs[extra:] == before.jobs


def set_up(client: Callable[[str], Any], story: Story) -> None:
    """Make what the acts need: buckets, a function, a model."""
    for bucket in (BUCKET, "data"):
        client("s3").create_bucket(Bucket=bucket)
    for key, body in (("train", records()), ("validation", records(10))):
        client("s3").put_object(Bucket="data", Key=f"{key}.jsonl", Body=body)
    story.functions["reward"] = make_function(client, "reward")
    request = rft_request("first", bucket="data", function="reward")
    story.jobs.append(client("bedrock").create_model_customization_job(**request)["jobArn"])
    wait_until(lambda: all_jobs(client, "Completed"))


def all_jobs(client: Callable[[str], Any], status: str) -> bool:
    jobs = client("bedrock").list_model_customization_jobs()["modelCustomizationJobSummaries"]
    return all(one["status"] == status for one in jobs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_whatever_was_acknowledged_outlives_kills_at_random_moments(
    tmp_path: Path, seed: int
) -> None:
    root, dice, story = tmp_path / "root", random.Random(seed), Story()
    servers = [Server(root)]
    killed_trainers = 0
    with cleaned_up(root, servers):
        client = servers[-1].ready()
        set_up(client, story)
        for number in range(ROUNDS):
            actor = threading.Thread(target=live, args=(client, story, dice))
            actor.start()
            time.sleep(random.Random(seed * 100 + number).uniform(0.1, 1.0))
            servers[-1].kill()
            actor.join()
            if number % 2:
                killed_trainers += kill_trainers(root)
            if number % 3 == 2:  # one that dies while it starts
                servers.append(Server(root))
                time.sleep(random.Random(seed * 200 + number).uniform(0.3, 1.5))
                servers[-1].kill()
            servers.append(Server(root))
            client = servers[-1].ready()
            found = seen(client)
            check(story, found)
            story = found
        wait_until(lambda: all_jobs(client, "Completed"))
        check(story, seen(client))
    ran_once(root, story, killed_trainers)


def ran_once(root: Path, story: Story, killed: int) -> None:
    """Every step of every job was made once, and only killed trainers were started again."""
    runs = root / "runs"
    started = 0
    for arn in story.jobs:
        job_id = arn.rpartition("/")[2]
        lines = (runs / job_id / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == list(range(1, STEPS + 1))
        started += len((runs / f"starts-{job_id}").read_text().splitlines())
    assert len(story.jobs) <= started <= len(story.jobs) + killed
