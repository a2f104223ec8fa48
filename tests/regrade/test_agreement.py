from __future__ import annotations

from sim.regrade.agreement import SHOWN_DIFFERENCES, Pair


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


def test_enormous_scores_do_not_overflow() -> None:
    found = pair_of((1.7e308, -1.7e308), (1.0, 0.0)).as_json()
    assert [each["id"] for each in found["differences"]] == ["id0", "id1"]
