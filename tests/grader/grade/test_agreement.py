from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.grader.grade.agreement import SHOWN_DIFFERENCES, Pair


def pair_of(*scores: tuple[float | None, float | None]) -> Pair:
    pair = Pair("a", "b")
    for number, (first, second) in enumerate(scores):
        pair.add(first, second, answer_id=f"id{number}", step=None, text=f"text {number}")
    return pair


def test_scores_within_a_billionth_are_equal() -> None:
    found = pair_of((1.0, 1.0 + 1e-10), (0.3, 0.1 + 0.2), (1.0, 1.0 + 1e-8), (0.0, 1.0)).as_json()
    assert found["equal_share"] == 0.5
    assert [each["id"] for each in found["differences"]] == ["id3", "id2"]


def test_positive_scores_are_counted_in_a_table_of_four() -> None:
    found = pair_of((1.0, 0.2), (1.0, 0.0), (0.0, 0.1), (0.0, -1.0), (0.0, 0.0)).as_json()
    assert found["positive"] == {
        "both": 1,
        "only_first": 1,
        "only_second": 1,
        "neither": 2,
        "alike_share": 0.6,
    }


def test_an_answer_that_one_of_them_could_not_score_is_not_compared() -> None:
    found = pair_of((None, 1.0), (1.0, None), (None, None)).as_json()
    assert found["compared"] == 0
    assert found["equal_share"] is None
    assert found["positive"]["alike_share"] is None
    assert found["spearman"] is None


def test_the_rows_that_differ_most_come_first_and_equal_gaps_in_their_order() -> None:
    gaps = [0.1, 0.9, 0.5, 0.9, *[0.3] * 20]
    found = pair_of(*((0.0, gap) for gap in gaps)).as_json()["differences"]
    assert len(found) == SHOWN_DIFFERENCES
    assert [each["id"] for each in found[:5]] == ["id1", "id3", "id2", "id4", "id5"]
    assert found[0] == {"id": "id1", "step": None, "first": 0.0, "second": 0.9, "text": "text 1"}


def test_of_several_answers_to_one_prompt_the_one_that_differs_most_is_shown() -> None:
    pair = Pair("a", "b")
    for text, gap in (("small", 0.1), ("large", 0.8), ("middle", 0.5)):
        pair.add(0.0, gap, answer_id="same", step=1, text=text)
    pair.add(0.0, 0.2, answer_id="other", step=1, text="other")
    found = pair.as_json()["differences"]
    assert [each["text"] for each in found] == ["large", "other"]


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(0, 9))))
def test_the_differences_shown_are_the_first_of_all_when_sorted(
    answers: list[tuple[str, int]],
) -> None:
    pair = Pair("a", "b")
    for number, (name, gap) in enumerate(answers):
        pair.add(0.0, float(gap), answer_id=name, step=None, text=str(number))
    largest: dict[str, tuple[int, int]] = {}
    for number, (name, gap) in enumerate(answers):
        if gap:
            largest[name] = max(largest.get(name, (0, 0)), (gap, -number))
    expected = sorted(largest.values(), reverse=True)[:SHOWN_DIFFERENCES]
    found = pair.as_json()["differences"]
    assert [(each["second"], -int(each["text"])) for each in found] == expected


def test_enormous_scores_do_not_overflow() -> None:
    found = pair_of((1.7e308, -1.7e308), (1.0, 0.0)).as_json()
    assert [each["id"] for each in found["differences"]] == ["id0", "id1"]
