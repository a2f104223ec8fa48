from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import composite


@pytest.fixture
def grade(graded):
    def run(answer, reference="72", **options):
        return graded(composite, answer, reference, **options)

    return run


LONG = "." * 1493 + "\n"


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("48 + 24 = 72\n#### 72", 1.0),
        ("#### 72\nDone.", 0.9),  # out of form
        ("#### 71\n#### 72", 0.9),
        (LONG + "#### 72", 0.9501),  # half as brief
        (LONG + "#### 72\n" + "\n" * 200, 0.9301),
        ("#### 73", 0.2),
        (LONG * 2 + "#### 73", 0.1),
        ("The answer is 72", 0.0),  # the gate: unreadable
        ("#### seventy-two", 0.0),
        ("", 0.0),
    ],
)
def test_components_add_up_behind_the_gate(grade, answer, score):
    assert grade(answer)[0] == pytest.approx(score, abs=1e-3)


def test_components_are_told_before_weights_and_gates(grade):
    assert grade("#### 72\nDone.")[1] == {
        "accuracy": 1.0,
        "format": 0.0,
        "brevity": 1.0,
        "gates_open": 1.0,
    }
    assert grade("no idea")[1] == {
        "accuracy": 0.0,
        "format": 0.0,
        "brevity": 1.0,
        "gates_open": 0.0,
    }


def test_the_environment_sets_the_weights(grade, monkeypatch):
    monkeypatch.setenv("COMPOSITE_WEIGHTS", '{"accuracy": 3, "format": 1}')
    assert grade("#### 72\nDone.")[0] == 0.75
    assert grade("#### 73")[0] == 0.25


def test_the_environment_sets_the_gates(grade, monkeypatch):
    monkeypatch.setenv("COMPOSITE_GATES", "readable, accurate")
    assert grade("#### 73")[0] == 0.0
    monkeypatch.setenv("COMPOSITE_GATES", "")
    assert grade("no idea")[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "weights",
    [
        "{",
        "[]",
        "{}",
        '{"accuracy": 0}',
        '{"accuracy": -1}',
        '{"speed": 1}',
        '{"accuracy": "1"}',
        '{"accuracy": Infinity}',
        '{"accuracy": NaN}',
        "1",
    ],
)
def test_weights_that_make_no_sense_are_an_error(grade, monkeypatch, weights):
    monkeypatch.setenv("COMPOSITE_WEIGHTS", weights)
    with pytest.raises(ValueError, match="COMPOSITE_WEIGHTS is"):
        grade("#### 72")


def test_an_unknown_gate_is_an_error(grade, monkeypatch):
    monkeypatch.setenv("COMPOSITE_GATES", "readable,polite")
    with pytest.raises(
        ValueError, match=r"names \['polite'\], expected some of readable, accurate"
    ):
        grade("#### 72")


@pytest.mark.parametrize("reference", ["72", 72, {"final_answer": 72}, {"text": "so\n#### 72"}])
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade("#### 72", reference, profile=profile)[0] == 1.0, profile


weights = st.dictionaries(
    st.sampled_from(sorted(composite.COMPONENTS)), st.floats(0.01, 100), min_size=1
)


@given(weights, st.text(max_size=50))
def test_every_score_lies_between_0_and_1_under_any_weights(weights, text):
    read = composite.read_weights(json.dumps(weights))
    turn = {"role": "assistant", "content": text}
    sample = {"id": "a", "messages": [turn], "reference_answer": "72"}
    assert 0.0 <= composite.grade(sample, weights=read, gates=[])["aggregate_reward_score"] <= 1.0
    turn["content"] = text.replace("#", "") + "\n#### 72"
    assert composite.grade(sample, weights=read, gates=[])["aggregate_reward_score"] == 1.0
