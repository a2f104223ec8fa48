"""Calculator marks, read and computed again."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.renumber.marks import (
    NotExecutableError,
    check_mark,
    evaluate,
    final_number,
    find_marks,
    numbers_of,
    parse,
    shown,
)


def verdict(text: str) -> str:
    (mark,) = find_marks(text)
    return check_mark(mark).verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<<48/2=24>>24", "computes"),
        ("<<12/60=0.2>>", "computes"),
        ("<<.5*20=10.00>>", "computes"),
        ("<<20%*50=10>>", "computes"),
        ("<<(1+2)*3-4=5>>", "computes"),
        ("<<+30+46=76>>", "computes"),
        ("<<2*-3=-6>>", "computes"),
        ("<<1,000×2=2,000>>", "computes"),
        ("<<10/3=3.33>>", "rounded"),
        ("<<200/3=67>>", "rounded"),
        ("<<2+2=5>>", "wrong"),
        ("<<192*100=1920>>", "wrong"),
        ("<<560//10=56>>", "not executable"),
        ("<<5/0=0>>", "not executable"),
        ("<<2**10=1024>>", "not executable"),
        ("<<x+1=2>>", "not executable"),
        ("<<(1+2=3>>", "not executable"),
        ("<<42>>", "not executable"),
    ],
)
def test_a_mark_is_computed_again(text: str, expected: str) -> None:
    assert verdict(text) == expected


def test_a_wrong_mark_is_shown_with_its_recomputation() -> None:
    (mark,) = find_marks("So it cost <<192*100=1920>>1920.")
    assert check_mark(mark).detail == "192*100 = 19200, the mark says 1920"


def test_nothing_of_a_mark_is_ever_run() -> None:
    assert verdict("<<__import__('os').getcwd()=1>>") == "not executable"


def test_an_endless_expression_is_refused_before_it_is_read() -> None:
    with pytest.raises(NotExecutableError, match="characters"):
        parse("(" * 100_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#### 72", 72),
        ("#### 1,234,567", 1_234_567),
        ("#### $2.50", Fraction(5, 2)),
        ("#### -7", -7),
        ("no #### here", None),
        ("#### 1 then #### 2", 2),
    ],
)
def test_the_final_number_is_the_last_one_announced(text: str, expected: Fraction | None) -> None:
    assert final_number(text) == expected


trees = st.recursive(
    st.fractions(min_value=0, max_value=999, max_denominator=1).map(lambda value: str(value)),
    lambda below: st.tuples(below, st.sampled_from("+-*/"), below).map(
        lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"
    ),
    max_leaves=12,
)


@given(trees)
def test_any_expression_has_the_value_that_python_gives_it(expression: str) -> None:
    import re

    as_fractions = re.sub(r"(\d+)", r"Fraction(\1)", expression)
    try:
        expected = eval(as_fractions, {"Fraction": Fraction})  # our own expression
    except ZeroDivisionError:
        with pytest.raises(NotExecutableError):
            evaluate(parse(expression))
        return
    assert evaluate(parse(expression)) == expected


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_a_number_reads_back_as_it_is_shown(value: object) -> None:
    number = Fraction(str(value))
    assert evaluate(parse(shown(number))) == number


def test_the_numbers_of_an_expression_come_from_left_to_right() -> None:
    assert numbers_of(parse("(3+4)*5-.5")) == [3, 4, 5, Fraction(1, 2)]
