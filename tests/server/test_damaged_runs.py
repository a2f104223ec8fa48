"""A job whose run folder is damaged says so itself and hides no other job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.jobs import Job, OpenAIDetails
from tests.jobs.conftest import wait_until
from tests.run_damage import HARMS
from tests.server.conftest import Endpoint
from tests.server.console.conftest import create, start
from tests.server.console.test_requests import send

pytestmark = pytest.mark.usefixtures("each_curve_once")
FILES = (
    "run.json", "recipe.resolved.json", "metrics.jsonl", "events.jsonl", "prompts.jsonl",
    "rollouts/step-000002.jsonl", "validation/step-000002.jsonl", "report.html", ".lock",
)  # fmt: skip
CODES = (200, 404, 500)
"""What an answer about the damaged job itself may be; 500 comes with a message of ours."""


def open_weight_job(endpoint: Endpoint) -> Job:
    method = {"type": "reinforcement", "reinforcement": {"grader": {}}}
    request: dict[str, Any] = {"model": "openai.gpt-oss-20b", "training_file": "f"}
    return endpoint.state.jobs.create(
        OpenAIDetails(0, []), {}, name="open", request={**request, "method": method}
    )


# Each does a third of the harms to each file.
@pytest.mark.parametrize("third", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_a_damaged_run_is_told_of_and_hides_no_neighbour(
    third: int, serve_root: Callable[..., Endpoint], tmp_path: Path
) -> None:
    endpoint = serve_root(start=start)
    jobs = [create(endpoint, "healthy"), create(endpoint, "hurt"), open_weight_job(endpoint)]
    wait_until(lambda: all(endpoint.state.jobs.get(job.id).has_ended for job in jobs))
    healthy, *hurt = [job.id for job in jobs]
    for job in jobs[1:]:
        shutil.copytree(job.folder, tmp_path / job.id)
    for number, name in enumerate(FILES):
        for harm in HARMS[(number + third) % 3 :: 3]:
            for job in jobs[1:]:
                harm(job.folder / name)
            told = f"{harm.__name__} {name}"
            listed = {each["id"] for each in answer(endpoint, "/console/jobs", told)["jobs"]}
            assert listed == {healthy, *hurt}, told
            page = answer(endpoint, f"/console/jobs/{healthy}", told)
            assert (page["trouble"], len(page["graphs"]) > 0) == (None, True), told
            for path in ("/model-customization-jobs", "/custom-models", "/v1/models"):
                answer(endpoint, path, told)
            assert len(answer(endpoint, "/v1/fine_tuning/jobs", told)["data"]) == 1, told
            for job_id in hurt:
                answer(endpoint, f"/console/jobs/{job_id}", told)
            own = answer(endpoint, "/v1/fine_tuning/jobs", told)["data"][0]["id"]
            for part in ("", "/events", "/checkpoints"):
                status, _, content = send(endpoint, f"/v1/fine_tuning/jobs/{own}{part}")
                assert status in CODES, told
                assert json.loads(content), told
            for job in jobs[1:]:
                shutil.rmtree(job.folder)
                shutil.copytree(tmp_path / job.id, job.folder)


def answer(endpoint: Endpoint, path: str, told: str) -> Any:
    status, _, content = send(endpoint, path)
    assert status == 200, f"{told}: {path}: {content[:300]!r}"
    return json.loads(content)
