from __future__ import annotations

import importlib.util
import textwrap

import pytest

from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits, Sample

HAS_AWS_CLIENT = importlib.util.find_spec("awslambdaric") is not None


@pytest.fixture(
    params=[
        pytest.param(
            "awslambdaric",
            marks=pytest.mark.skipif(
                not HAS_AWS_CLIENT, reason="awslambdaric has no wheel for this platform"
            ),
        ),
        "stand-in",
    ]
)
def client(request):
    """AWS's own runtime client and ours: whatever holds for one must hold for the other."""
    return request.param


@pytest.fixture
def write_reward(tmp_path):
    """Return a function that writes a handler's source and gives its path."""

    def write(source, name="reward.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture
def deploy(write_reward):
    """Return a function that opens a grader for a handler's source, closed after the test."""
    opened = []

    def open_grader(source, *, limits=None, log=None, client=None, **options):
        path = write_reward(source) if isinstance(source, str) else source
        settings = {"timeout_s": 30.0, "retries": 0, "backoff_s": 0.001, **(limits or {})}
        reward = RewardFile(path, limits=LambdaLimits(**settings), **options)
        grader = Grader(reward, log=log, client=client)
        opened.append(grader)
        return grader

    yield open_grader
    for grader in opened:
        grader.close()


@pytest.fixture
def samples():
    """Return a function that makes answered samples with ids s0, s1, …"""

    def make(count, answer="#### 1"):
        prompt = {"role": "user", "content": "How many?"}
        turn = {"role": "assistant", "content": answer}
        return [Sample(f"s{i}", [prompt, turn], "#### 1", {"topic": "sums"}) for i in range(count)]

    return make
