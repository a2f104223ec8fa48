from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import adaptive

BOTH = "48 + 24 = 72\n#### 72"
ONLY_RIGHT = "It is 72"
ONLY_FORM = "#### 73"
NEITHER = "no idea"


@pytest.fixture(autouse=True)
def _cold_container():
    adaptive.STATE.reset()


def event(*answers, reference="72"):
    return [
        {
            "id": str(number),
            "messages": [{"role": "assistant", "content": answer}],
            "metadata": {"reference_answer": reference},
        }
        for number, answer in enumerate(answers)
    ]


def scores(*answers):
    return [r["aggregate_reward_score"] for r in adaptive.lambda_handler(event(*answers), None)]


def test_a_cold_container_pays_for_form():
    assert scores(BOTH, ONLY_RIGHT, ONLY_FORM, NEITHER) == pytest.approx([1.0, 0.7, 0.3, 0.0])


def test_form_fades_as_it_is_mastered_and_the_top_score_stays():
    earned = [scores(ONLY_FORM, BOTH, ONLY_RIGHT)[0] for _ in range(4)]
    assert earned == sorted(earned, reverse=True)
    assert len(set(earned)) == 4
    for _ in range(30):
        scores(*[BOTH] * 16)
    assert scores(BOTH, ONLY_RIGHT, ONLY_FORM, NEITHER) == [1.0, 1.0, 0.0, 0.0]


def test_form_comes_back_when_it_is_lost():
    for _ in range(30):
        scores(*[BOTH] * 16)
    for _ in range(30):
        scores(*[ONLY_RIGHT] * 16)
    assert scores(ONLY_FORM)[0] == pytest.approx(0.3, abs=0.01)


def test_the_weight_is_told_with_every_result():
    first, second = adaptive.lambda_handler(event(BOTH, NEITHER), None)
    parts = {part["name"]: part["value"] for part in first["metrics_list"]}
    assert parts == {"accuracy": 1.0, "format": 1.0, "format_weight": 0.3, "format_rate": 0.0}
    assert [part["value"] for part in second["metrics_list"]] == [0.0, 0.0, 0.3, 0.0]
    (later,) = adaptive.lambda_handler(event(BOTH), None)
    assert adaptive.parts_of(later)["format_rate"] == pytest.approx(63 / 64 / 64)


def test_order_inside_an_event_makes_no_difference_and_the_split_does():
    forward = scores(BOTH, ONLY_FORM)
    adaptive.STATE.reset()
    backward = scores(ONLY_FORM, BOTH)
    assert forward == backward[::-1]
    adaptive.STATE.reset()
    assert scores(BOTH) + scores(ONLY_FORM) != forward  # what the docstring warns of


def test_a_failed_event_teaches_nothing():
    with pytest.raises(ValueError, match="no reference"):
        adaptive.lambda_handler([*event(BOTH), {**event(BOTH)[0], "metadata": {}}], None)
    assert adaptive.STATE.format_rate == 0.0


@pytest.mark.parametrize(
    ("answer", "in_form"),
    [
        ("#### 72", True),
        ("so\n#### 72 dollars\n", True),
        ("#### 71\n#### 72", False),
        ("so #### 72", False),
        ("####", False),
        ("#### seventy", False),
        ("#### 72\nDone", False),
    ],
)
def test_form_is_one_marker_with_a_number_on_the_last_line(answer, in_form):
    assert adaptive.is_in_form(answer) is in_form


def test_the_environment_sets_the_numbers(monkeypatch):
    monkeypatch.setenv("ADAPTIVE_START", "0.5")
    monkeypatch.setenv("ADAPTIVE_MEMORY", "1")
    assert scores(ONLY_FORM) == [0.5]
    assert scores(ONLY_FORM) == [0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADAPTIVE_START", "2"),
        ("ADAPTIVE_START", "-0.1"),
        ("ADAPTIVE_MASTERED", "0"),
        ("ADAPTIVE_MEMORY", "0.5"),
        ("ADAPTIVE_MEMORY", "long"),
    ],
)
def test_a_setting_out_of_range_is_an_error(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '?{value}'?, expected"):
        scores(BOTH)


@pytest.mark.parametrize("reference", ["72", 72, {"final_answer": 72}, {"text": "so\n#### 72"}])
@pytest.mark.parametrize("profile", ["metadata", "root", "both"])
def test_every_shape_of_reference_is_read_from_every_place(graded, reference, profile):
    assert graded(adaptive, BOTH, reference, profile=profile)[0] == 1.0


@given(st.lists(st.lists(st.sampled_from([BOTH, ONLY_RIGHT, ONLY_FORM, NEITHER]), max_size=8)))
def test_whatever_came_before_scores_keep_their_order_and_their_range(events):
    adaptive.STATE.reset()
    for answers in events:
        scores(*answers)
    assert 0.0 <= adaptive.STATE.format_rate <= 1.0
    both, right, form, neither = scores(BOTH, ONLY_RIGHT, ONLY_FORM, NEITHER)
    assert both == 1.0 >= right > form >= neither == 0.0
