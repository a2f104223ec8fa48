"""An endpoint whose stub training leaves the embedded model behind, and clients for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.jobs import Job
from tests.server.aws_setup import create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint, serve
from tests.server.shared_models import shared_models

STUB = Path(__file__).parent.parent / "mantle" / "stub_run.py"
BUCKET, FUNCTION = "data-of-runtime", "reward-of-runtime"


def stub_command(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    return [sys.executable, str(STUB), str(job.folder.parent), job.id, "end"]


@pytest.fixture(scope="session")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with ExitStack() as stack:
        endpoint = serve(stack, tmp_path_factory.mktemp("runtime") / "root", start=stub_command)
        endpoint.state.models = shared_models()
        yield endpoint


@pytest.fixture(scope="session")
def runtime(answering: Endpoint) -> Any:
    return answering.client("bedrock-runtime")


@pytest.fixture(scope="session")
def tuned(answering: Endpoint) -> dict[str, str]:
    """Return the ARNs of a custom model, of its deployment, and of a model without one."""
    put(answering, BUCKET, train=records(), validation=records(10))
    create_function(answering, FUNCTION)
    bedrock = answering.client("bedrock")
    models = []
    for name in ("answers", "undeployed"):
        request = rft_request(name, bucket=BUCKET, function=FUNCTION)
        job = wait_for_job(bedrock, bedrock.create_model_customization_job(**request)["jobArn"])
        models.append(job["outputModelArn"])
    deployed = bedrock.create_custom_model_deployment(
        modelDeploymentName="answers", modelArn=models[0]
    )
    deployment = deployed["customModelDeploymentArn"]
    return {"model": models[0], "deployment": deployment, "undeployed": models[1]}
