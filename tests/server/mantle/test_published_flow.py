"""The published flow with real training behind it: upload, train, follow, plot, chat."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from openai import OpenAI

from bedrock_rft_sim.data.problems import generate, to_record
from bedrock_rft_sim.jobs import rehearsal_command
from bedrock_rft_sim.server.mapping import Limits, ModelMapping, StandIn
from tests.server.conftest import Endpoint
from tests.server.mantle.conftest import create_function, method
from tests.server.shared_models import shared_models

REWARD = Path(__file__).parents[3] / "rewards" / "gsm8k.py"
PATIENCE_S = 240.0
TWO_STEPS = StandIn(
    maxSteps=2,
    limits=Limits(maxPromptLength=128, inferenceMaxTokens=32, trainingSamplePerPrompt=2),
    device="cpu",
)


@pytest.mark.slow
def test_a_job_trains_and_its_models_answer(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(
        start=rehearsal_command, mapping=ModelMapping(default=TWO_STEPS), region="us-west-2"
    )
    endpoint.state.models = shared_models()
    create_function(endpoint, "reward", REWARD.read_text())
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="local", max_retries=0) as client:
        job = train(client)
        events = list(client.fine_tuning.jobs.list_events(job.id))
        metrics = [event.data for event in reversed(events) if event.type == "metrics"]
        curve = plotted(metrics, "critic_rewards_mean")
        assert list(curve.get_xdata()) == [1, 2]
        assert all(0.0 <= reward <= 1.0 for reward in curve.get_ydata())
        checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
        assert [each.step_number for each in checkpoints] == [2]
        for model in (job.fine_tuned_model, checkpoints[0].fine_tuned_model_checkpoint):
            chunks = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "What is 3 + 4?"}],
                max_tokens=16,
                stream=True,
            )
            assert list(chunks)[-1].choices[0].finish_reason


def plotted(metrics: list[Any], name: str) -> Any:
    """Plot a metric over the steps, as the published notebooks do; return the line."""
    (line,) = Figure().subplots().plot([m["step"] for m in metrics], [m[name] for m in metrics])
    return line


def train(client: OpenAI) -> Any:
    """Upload, create, follow to the end."""
    problems = generate(100, seed=0)
    lines = [json.dumps(to_record(each, shape="open-weight")) for each in problems]
    content = "\n".join(lines).encode() + b"\n"
    file = client.files.create(file=("train.jsonl", content), purpose="fine-tune")
    job: Any = client.fine_tuning.jobs.create(
        model="openai.gpt-oss-20b", training_file=file.id, extra_body={"method": method(1)}
    )
    deadline = time.monotonic() + PATIENCE_S
    while job.status not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
        job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded", job.error
    return job
