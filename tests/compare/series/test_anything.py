"""Whatever a file holds, it is read or refused with one message that names it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bedrock_rft_sim.compare.series import KINDS, read_curves
from bedrock_rft_sim.compare.series.curve import Kind
from bedrock_rft_sim.errors import DataError

WORDS = (
    *("step", "data", "object", "message", "events", "timestamp", "log_history", "max_steps"),
    *("created_at", "total_steps", "reward", "critic_rewards_mean", "id", "fine_tuning.job.event"),
    *("step:1 - critic/rewards/mean:0.5", "Wall time,Step,Value", "step_number,reward", "Step,x"),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
values = st.recursive(
    scalars,
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inside, max_size=6)
    ),
    max_leaves=20,
)
lines = st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=6).map("\n".join)


def read(content: bytes, kind: Kind | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(content)
        try:
            found = read_curves(path, kind=kind)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - it may also be read
        else:
            assert all(curves.series for curves in found)


@given(values)
@example([{"step": 10**400}])
@example({"log_history": [{"step": 1, "reward": 10**400}]})
def test_any_json(value: object) -> None:
    read(json.dumps(value).encode())


@given(st.lists(values, min_size=2, max_size=3))
def test_any_json_lines(several: list[object]) -> None:
    read("\n".join(json.dumps(value) for value in several).encode())


@given(st.binary(max_size=60) | lines.map(str.encode))
@example(b"\x1f\x8b")
@example(b"\xef\xbb\xbf")
@example(b"[")
@example(b"x" * 200_000)
@example(b'"' + b"x," * 100_000)
@example(b"9" * 5000)
@example(b"[" + b"9" * 5000 + b"]")
def test_any_bytes(content: bytes) -> None:
    read(content)


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_that_is_asked_for(kind: Kind) -> None:
    for content in (b"", b"[]", b"step_number,train_reward_mean\n1,0.5\n", b"x\ny\n"):
        read(content, kind)
