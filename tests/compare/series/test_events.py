from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.compare.series import read_curves
from bedrock_rft_sim.compare.series.events import read_events
from bedrock_rft_sim.contract.events import message_event, metrics_event
from bedrock_rft_sim.errors import DataError

Save = Callable[..., Path]


def job(steps: int, *, start: int = 1_000) -> list[dict]:
    events = [message_event("Job started", created_at=start)]
    for step in range(1, steps + 1):
        values = {"step": step, "total_steps": steps, "critic_rewards_mean": step / steps}
        events.append(metrics_event(values, created_at=start + step))
    return events


def pages_of(events: list[dict], size: int) -> list[dict]:
    cut = [events[place : place + size] for place in range(0, len(events), size)]
    return [
        {"object": "list", "data": page, "has_more": number < len(cut) - 1}
        for number, page in enumerate(cut)
    ]


def test_ten_thousand_events_in_shuffled_overlapping_pages_are_one_curve(save: Save) -> None:
    events = job(10_000)
    random.Random(0).shuffle(events)
    pages = pages_of(events, 100)
    pages.append({"object": "list", "data": events[:50], "has_more": True})
    random.Random(1).shuffle(pages)
    (found,) = read_curves(save("events.json", pages))
    curve = found.series["critic_rewards_mean"]
    assert curve.steps == tuple(range(1, 10_001))
    assert curve.values == tuple(step / 10_000 for step in range(1, 10_001))
    assert found.repeated_steps == 0
    assert found.notes == ()


@given(st.permutations(job(12) + job(7, start=5_000)))
def test_the_order_of_events_never_matters_and_the_later_emission_wins(events: list[dict]) -> None:
    found = read_events([("x", events)], "x")
    rewards = found.series["critic_rewards_mean"]
    assert rewards.values == tuple(
        [step / 7 for step in range(1, 8)] + [step / 12 for step in range(8, 13)]
    )
    assert found.repeated_steps == 7


def test_json_lines_of_events_and_of_pages_are_read(save: Save) -> None:
    events = job(5)
    (whole,) = read_curves(save("events.json", events))
    lines = "".join(json.dumps(event) + "\n" for event in events)
    assert read_curves(save("events.jsonl", lines))[0].series == whole.series
    pages = "".join(json.dumps(page) + "\n" for page in pages_of(events, 2))
    assert read_curves(save("pages.jsonl", pages))[0].series == whole.series


def test_events_dumped_from_the_sdk_are_read(save: Save) -> None:
    openai = pytest.importorskip("openai.types.fine_tuning")
    events = [openai.FineTuningJobEvent.model_validate(event) for event in job(3)]
    dumped = [event.model_dump() for event in events]
    (found,) = read_curves(save("events.json", dumped))
    assert found.series["critic_rewards_mean"].steps == (1, 2, 3)


def test_pages_may_be_bare_lists_or_empty(save: Save) -> None:
    events = job(5)
    (whole,) = read_curves(save("events.json", events))
    for pages in ([events[:2], events[2:]], [[], events], [{"data": []}, {"data": events}]):
        assert read_curves(save("pages.json", pages))[0].series == whole.series


def test_a_missing_last_page_is_noted(save: Save) -> None:
    (page, *_) = pages_of(job(5), 3)
    (found,) = read_curves(save("events.json", page))
    assert "the last page is missing" in found.notes[0]


def test_a_value_of_null_is_missing_and_not_zero(save: Save) -> None:
    event = metrics_event({"step": 1, "total_steps": 2, "critic_rewards_mean": 0.5})
    (found,) = read_curves(save("events.json", [event]))
    assert set(found.series) == {"critic_rewards_mean"}


def test_a_key_that_bedrock_adds_later_is_kept_and_listed(save: Save) -> None:
    event = metrics_event({"step": 1, "critic_rewards_mean": 0.5})
    event["data"] |= {"critic_returns_mean": 0.25, "phase": "train"}
    (found,) = read_curves(save("events.json", [event]))
    assert found.series["critic_returns_mean"].values == (0.25,)
    assert found.unknown == ("critic_returns_mean",)
    assert any("phase" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([*job(3), {"error": "expired"}], "item 5: {'error': 'expired'} is no job event"),
        ("\n".join(json.dumps(event) for event in job(4))[:-40], "events.json:5"),
    ],
)
def test_what_is_no_event_is_counted_and_ends_no_other(
    content: object, message: str, save: Save
) -> None:
    (found,) = read_curves(save("events.json", content))
    assert found.series["critic_rewards_mean"].steps == (1, 2, 3)
    (note,) = found.notes
    assert note.startswith("1 line")
    assert message in note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no metrics that can be read"),
        ([message_event("Job started")], "holds no metric values"),
        ([metrics_event({"step": 1, "critic_rewards_mean": float("nan")})], "step 1"),
        ([metrics_event({"step": 1, "critic_rewards_mean": "high"})], "no numbers"),
        ([metrics_event({"step": -1, "critic_rewards_mean": 0.5})], "no whole number"),
        ([metrics_event({"step": 1.5, "critic_rewards_mean": 0.5})], "no whole number"),
        (json.dumps(job(3))[:-40], "cut short"),
        ("[" * 100_000, "nested too deep"),
        ('{"a": 1}', "no metrics that can be read"),
    ],
)
def test_what_can_not_be_read_is_one_message(content: object, message: str, save: Save) -> None:
    with pytest.raises(DataError) as caught:
        read_curves(save("events.json", content))
    assert "events.json" in str(caught.value)
    assert message in str(caught.value)
