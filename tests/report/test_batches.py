"""The answers in a page: whole groups within a budget, and the exact Lambda event."""

from __future__ import annotations

import base64
import gzip
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader.event import build_event
from bedrock_rft_sim.grader.samples import Sample
from bedrock_rft_sim.report.batches import SHORTEST_TEXT, PackedStep, loops, pack, surprise
from bedrock_rft_sim.report.events import EventForm, sample_id
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.train.reward import to_sample
from tests.report.conftest import answers, rows

FORM = EventForm("both", wrap_string_as_text=False)
ROWS = {("train", row.id): row for row in rows()}


def content(batch: PackedStep) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(batch.packed)))


def big_step(groups: int = 30, size: int = 8) -> list[Rollout]:
    rng = random.Random(0)
    like = answers(1)[0]
    return [
        replace(
            like,
            prompt_id=f"p{group}",
            sample=sample,
            text=rng.randbytes(300).hex(),
            grade=float(rng.random() < 0.5),
            advantage=rng.uniform(-1, 1),
        )
        for group in range(groups)
        for sample in range(size)
    ]


def joined(group: dict[str, Any], row: dict[str, Any]) -> Any:
    """Put an entry together as the page does."""
    before, between, after = group["event"]
    return json.loads(before + json.dumps(row["id"]) + between + json.dumps(row["text"]) + after)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("wrap", [False, True])
def test_the_event_is_what_the_handler_was_sent(profile: str, wrap: bool) -> None:
    batch = content(pack("train", 1, answers(1), ROWS, EventForm(profile, wrap), allowance=10**6))
    for group, row in zip(batch["groups"], rows(), strict=True):
        samples = [to_sample(row, each["text"], each["sample"]) for each in group["rows"]]
        sent = build_event(samples, profile=profile, wrap_string_as_text=wrap)
        assert [joined(group, each) for each in group["rows"]] == sent


@settings(max_examples=50)
@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4),
)
def test_the_event_survives_any_row(prompt: str, extra: dict[str, Any]) -> None:
    row = Row("id", ({"role": "user", "content": prompt},), "mark answer", extra, "x", 1)
    parts = FORM.cut(row)
    assert parts is not None
    text = parts[0] + json.dumps("id#3") + parts[1] + json.dumps("so: 5") + parts[2]
    turn = {"role": "assistant", "content": "so: 5"}
    sample = Sample(sample_id("id", 3), [*row.messages, turn], row.reference_answer, row.extra)
    assert json.loads(text) == build_event([sample])[0]


def test_numbers_of_a_row_keep_their_digits() -> None:
    group = content(pack("train", 1, answers(1), ROWS, FORM, allowance=10**6))["groups"][0]
    assert "12345678901234567890" in group["event"][0]
    assert "1.0" in group["event"][0]


def test_a_step_within_its_allowance_is_kept_whole() -> None:
    batch = pack("train", 1, big_step(), {}, FORM, allowance=10**6)
    assert (batch.kept, batch.answers) == (240, 240)


def test_a_step_over_its_allowance_keeps_whole_groups_with_the_extremes() -> None:
    step = big_step()
    step[17] = replace(step[17], grade=5.0)
    step[90] = replace(step[90], grade=-5.0)
    step[201] = replace(step[201], advantage=9.0)
    batch = pack("train", 1, step, {}, FORM, allowance=30_000)
    groups = content(batch)["groups"]
    assert len(batch.packed) <= 30_000
    assert 0 < batch.kept < batch.answers
    assert {len(group["rows"]) for group in groups} == {8}
    assert {"p2", "p11", "p25"} <= {group["prompt"] for group in groups}
    assert pack("train", 1, step, {}, FORM, allowance=30_000) == batch


def test_a_single_group_over_its_allowance_is_shortened_and_says_so() -> None:
    step = [replace(each, text=each.text * 40) for each in big_step(groups=2)]
    batch = pack("train", 1, step, {}, FORM, allowance=4_000)
    shown = content(batch)["groups"][0]["rows"]
    assert batch.kept == 8
    assert all(row["cut"] for row in shown)
    assert all("characters" in row["text"] for row in shown)
    assert all(len(row["text"]) < SHORTEST_TEXT + 60 for row in shown)


def test_numbers_that_are_none_are_told_apart_from_zero() -> None:
    odd = replace(answers(1)[0], logprob=float("nan"), kl=None, entropy=0.0)
    row = content(pack("train", 1, [odd], {}, FORM, allowance=10**6))["groups"][0]["rows"][0]
    assert (row["logprob"], row["kl"], row["entropy"]) == (None, None, 0.0)


def test_an_answer_without_a_grade_is_left_out() -> None:
    step = answers(1)
    step[3] = replace(step[3], grade=float("nan"))
    assert pack("train", 1, step, ROWS, FORM, allowance=10**6).answers == len(step) - 1


def test_most_surprising_is_far_from_its_group_and_then_unlikely() -> None:
    like = replace(answers(1)[0], tokens=[1, 2])
    far = replace(like, advantage=-2.0, logprob=-1.0)
    unlikely = replace(like, advantage=1.0, logprob=-9.0)
    likely = replace(like, advantage=1.0, logprob=-1.0)
    assert sorted([likely, unlikely, far], key=surprise) == [likely, unlikely, far]


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("So it is 5. " * 6, True),
        ("I think. " + "again and " * 9, True),
        ("So it is 5. " * 4, False),
        ("....................", False),
        ("", False),
        ("The answer is 42. #### 42", False),
        ("=" * 60, True),
    ],
)
def test_a_loop_is_one_piece_five_times_at_the_end(text: str, is_loop: bool) -> None:
    assert loops(text) is is_loop


def test_the_share_of_loops_and_the_reward_s_parts_are_counted() -> None:
    step = answers(1)
    step[0] = replace(step[0], text="and so on, " * 9)
    batch = pack("train", 1, step, ROWS, FORM, allowance=10**6)
    assert batch.looping == 1 / len(step)
    assert batch.components == {"<i>accuracy</i>"}
