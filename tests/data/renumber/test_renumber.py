"""Problems with new numbers: what may change, what stays, what is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from bedrock_rft_sim.data.renumber.candidates import candidates
from bedrock_rft_sim.data.renumber.draw import (
    draw,
    rewrite_question,
    rewrite_solution,
    written_like,
)
from bedrock_rft_sim.data.renumber.numbers import number_words_in, numbers_in
from bedrock_rft_sim.data.renumber.scheme import NotRenumberableError, scheme_of
from bedrock_rft_sim.data.renumber.verify import (
    NotASumError,
    compute,
    refusal,
    sums_outside_marks,
)

CLIPS = "Natalia sold clips to 48 of her friends in April, and then half as many in May. How many?"
CLIPS_SOLVED = (
    "She sold 48/2 = <<48/2=24>>24 in May.\nShe sold 48+24 = <<48+24=72>>72 in all.\n#### 72"
)


def renumbered(question: str, solution: str, seed: int = 0) -> tuple[str, str]:
    numbers = draw(scheme_of(question, solution), random.Random(seed))
    assert numbers is not None
    return rewrite_question(question, numbers), rewrite_solution(solution, numbers)


def reason(question: str, solution: str) -> str:
    with pytest.raises(NotRenumberableError) as error:
        scheme_of(question, solution)
    return str(error.value)


@pytest.mark.parametrize("seed", range(20))
def test_question_marks_sentences_and_answer_change_together(seed: int) -> None:
    question, solution = renumbered(CLIPS, CLIPS_SOLVED, seed)
    (number,) = (int(n.value) for n in numbers_in(question))
    half, total = number // 2, number + number // 2
    assert number != 48
    assert number % 2 == 0
    assert solution == (
        f"She sold {number}/2 = <<{number}/2={half}>>{half} in May.\n"
        f"She sold {number}+{half} = <<{number}+{half}={total}>>{total} in all.\n#### {total}"
    )


def test_a_percentage_and_its_decimal_change_together_and_stay_within_a_hundred() -> None:
    question = "A shirt costs $80 and is sold 25% cheaper. What does it cost?"
    solution = "It is $80*.25=$<<80*.25=20>>20 off.\nIt costs 80-20=$<<80-20=60>>60.\n#### 60"
    for seed in range(20):
        new, solved = renumbered(question, solution, seed)
        price, percent = (n.value for n in numbers_in(new))
        assert 0 < percent <= 100
        assert f"#### {price - price * percent / 100}" in solved


def test_what_was_less_stays_less() -> None:
    question = "He earns $10 an hour up to 40 hours and works 45 hours. What for the 40 hours?"
    solution = (
        "That is 10*40=$<<10*40=400>>400.\n45-40=<<45-40=5>>5 more.\n5*10=<<5*10=50>>50\n#### 50"
    )
    for seed in range(10):
        new, _ = renumbered(question, solution, seed)
        wage, limit, worked, again = (n.value for n in numbers_in(new))
        assert limit == again
        assert wage < limit < worked


@pytest.mark.parametrize(
    "fixed",
    [
        "She paid with a $20 bill.",
        "In 2005 she was there.",
        "It was at 7 p.m. sharp.",
        "She is in grade 5 now.",
        "She came 3rd.",
        "The ratio was 5:8.",
        "She ate 3/4 of a pie.",
        "Her train leaves at 10:30.",
        "It happened on May 17.",
        "She has 3 friends: Ann, Bo and Cy.",
        "She read pages 20-30.",
    ],
)
def test_a_number_that_names_something_is_not_free(fixed: str) -> None:
    assert {number.kind for number in numbers_in(fixed)} == {"named"}


def test_words_are_numbers_that_stay() -> None:
    words = {
        word.word: word.values for word in number_words_in("twenty-five dogs, two-thirds, a dozen")
    }
    assert Fraction(25) in words["twenty five"]
    assert {Fraction(2, 3), Fraction(1, 3)} <= words["two"]
    assert words["dozen"] == {12}


def test_a_week_keeps_its_days() -> None:
    question = "Ann runs 7 miles a day, 7 days a week, and pays $23 a week. Cost of 4 weeks?"
    solution = "She runs 7*7=<<7*7=49>>49 miles.\nShe pays 23*4=$<<23*4=92>>92.\n#### 92"
    new, _ = renumbered(question, solution)
    assert "7 miles a day, 7 days a week" in new
    assert "4 weeks" in new


@pytest.mark.parametrize(
    ("question", "solution", "expected"),
    [
        ("Tom has 5 and 9.", "So 14.\n#### 14", "the solution has no calculator marks"),
        ("Tom has 25 and 9.", "<<25+9=35>>35\n#### 35", "a mark does not compute exactly"),
        ("Tom has 25 and 9.", "<<25//9=2>>2\n#### 2", "a mark is not executable"),
        (
            "Tom has 25 pens, 9 cups and 31 hats.",
            "<<25+9=34>>34\n#### 34",
            "a number of the question is not used by a mark",
        ),
        (
            "Tom has 25 and five more.",
            "<<25+17=42>>42\n#### 42",
            "a number of the solution comes from nowhere",
        ),
        (
            "Tom has 25 and fourteen and 9.",
            "<<25+9=34>>34\n#### 34",
            "a number word of the question is not used by a mark",
        ),
        (
            "Tom has 25 and 9.",
            "<<25+9=34>>34, twice is 68\n#### 68",
            "the final number is not the value of the last mark",
        ),
        (
            "Tom has 25k and 9.",
            "<<25+9=34>>34\n#### 34",
            "a number is written in a form that is not understood",
        ),
        (
            "Tom has two and 2.",
            "<<2+2=4>>4\n#### 4",
            "every number of the question must stay as it is",
        ),
    ],
)
def test_a_problem_that_cannot_be_traced_is_refused_with_the_reason(
    question: str, solution: str, expected: str
) -> None:
    assert reason(question, solution) == expected


def test_a_number_used_only_between_the_marks_is_refused() -> None:
    question = "A price is halved every 10 years. It was $1000. What is it after 30 years?"
    solution = (
        "That is 30/10 = 3 times.\n1000/2=<<1000/2=500>>500\n500/2=<<500/2=250>>250\n#### 250"
    )
    assert reason(question, solution) in (
        "a number of the solution comes from nowhere",
        "a number of the question is not used by a mark",
    )


@pytest.mark.parametrize(
    ("old", "value", "expected"),
    [
        ("48", Fraction(50), "50"),
        ("1,500", Fraction(2500), "2,500"),
        ("1,500", Fraction(900), "900"),
        ("1500", Fraction(2500), "2500"),
        ("18.00", Fraction(20), "20.00"),
        (".20", Fraction(1, 4), ".25"),
        ("0.2", Fraction(1, 4), "0.25"),
        ("2.5", Fraction(7, 2), "3.5"),
    ],
)
def test_a_new_number_is_written_like_the_old(old: str, value: Fraction, expected: str) -> None:
    assert written_like(old, value) == expected


@pytest.mark.parametrize(
    ("solution", "answer", "expected"),
    [
        ("<<48/2=24>>24\n#### 24", "24", None),
        ("<<48/2=25>>25\n#### 25", "25", "a mark of the new solution does not compute"),
        (
            "<<48/2=24>>25\n#### 24",
            "24",
            "the number behind a mark of the new solution is another one",
        ),
        ("<<48/2=24>>24\n#### 25", "25", "the new answer is not what the last mark computes"),
        ("<<48/2=24>>24\n#### 24", "25", "the new answer is not what the last mark computes"),
        ("3*4 = 13, <<48/2=24>>24\n#### 24", "24", "a sum between the marks no longer computes"),
        ("no mark\n#### 24", "24", "a mark of the new solution can't be read"),
    ],
)
def test_the_second_opinion_refuses_what_does_not_compute(
    solution: str, answer: str, expected: str | None
) -> None:
    old = "3*4 = 12, <<40/2=20>>20\n#### 20"
    found = refusal(question="48?", solution=solution, old_solution=old, answer=answer)
    assert found == expected


@pytest.mark.parametrize(
    ("solution", "sums"),
    [
        ("At 5 years he is 25 - 5 = 20 years", [("25 - 5", True)]),
        ("He is 50/2 = 25.\nIn 5 years he was 25-5 = 10", [("50/2", True), ("25-5", False)]),
        ("It is 5+5*3=5+11=<<5+5*3=20>>20", [("5+5*3", False), ("5+11", False)]),
        ("That is (3 + 4) x $5 = $35", [("(3 + 4) * 5", True)]),
        ("33 years - 16 years = 16 years", [("33 - 16", False)]),
        ("No sum at all, 5 of 7", []),
    ],
)
def test_the_sums_of_sentences_are_read_and_computed(
    solution: str, sums: list[tuple[str, bool]]
) -> None:
    found = [(" ".join(s.expression.split()), s.holds) for s in sums_outside_marks(solution)]
    assert found == sums


@pytest.mark.parametrize(
    "question",
    [
        "There are 30 kids: half brought 12 cans, 2 none, the remaining 13 brought 4. Total?",
        "Of 30 kids half brought 12 cans and the other five brought 4. Total?",
    ],
)
def test_what_is_left_follows_from_the_rest_and_is_not_drawn(question: str) -> None:
    solution = "30/2=<<30/2=15>>15\n15*12=<<15*12=180>>180\n" + (
        "13*4=<<13*4=52>>52\n180+52=<<180+52=232>>232\n#### 232"
        if "13" in question
        else "5*4=<<5*4=20>>20\n180+20=<<180+20=200>>200\n#### 200"
    )
    assert reason(question, solution) == "what is left is stated, and would have to follow"


@pytest.mark.parametrize(
    ("question", "solution"),
    [
        (
            "A machine makes 45 cans every 30 minutes. How many in 8 hours?",
            "8 x 2 = <<8*2=16>>16 half hours\n45*16=<<45*16=720>>720\n#### 720",
        ),
        (
            "The plant makes 150 cars and now 50% of them and 35 more. How many?",
            "150/2=<<150/2=75>>75\n75+35=<<75+35=110>>110, 50% fewer\n#### 110",
        ),
    ],
)
def test_a_number_that_may_follow_from_one_that_changes_is_refused(
    question: str, solution: str
) -> None:
    expected = "a number of the solution may follow from one that changes"
    assert reason(question, solution) == expected


def test_a_temperature_stays_between_freezing_fever_and_boiling() -> None:
    (number,) = numbers_in("She has 95 degrees.")
    assert {float(value) // 10 for value in candidates(Fraction(95), [number])} <= {9, 10}


@pytest.mark.parametrize("seed", range(10))
def test_nobody_scores_above_a_hundred_in_a_test(seed: int) -> None:
    question = "Amy had 85 in one of 5 tests and wants an average of 90. What if the rest is 91?"
    solution = "85+91=<<85+91=176>>176\n5*90=<<5*90=450>>450\n450-176=<<450-176=274>>274\n#### 274"
    new, _ = renumbered(question, solution, seed)
    assert all(number.value <= 100 for number in numbers_in(new))


def test_a_result_that_the_next_mark_rounds_is_refused() -> None:
    question = "Phil had $40 and spent $15.25 in a day. How many quarters are his whole dollars?"
    solution = "40-15.25=<<40-15.25=24.75>>24.75\n24*4=<<24*4=96>>96 quarters\n#### 96"
    assert reason(question, solution) == "a result may have been rounded on the way"


def test_where_random_draws_fail_every_single_number_is_tried() -> None:
    question = "A wall of 9,973 bricks loses 9,000 bricks. How many are left?"
    solution = "9973-9000=<<9973-9000=973>>973\n#### 973"
    scheme = scheme_of(question, solution)
    few = {value: (value, value + 1) for value in scheme.free}
    assert draw(replace(scheme, free=few), random.Random(0)) is not None


@pytest.mark.parametrize("text", ["", "1 2", "2+", "(1", "1)", "a", "1/0"])
def test_the_second_opinion_computes_sums_only(text: str) -> None:
    with pytest.raises(NotASumError):
        compute(text)
