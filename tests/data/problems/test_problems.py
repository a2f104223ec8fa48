"""The built-in problems: every answer is worked out again here, from the marks alone."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

from bedrock_rft_sim.data.problems import FAMILIES, generate, split_of, to_record

MARK = re.compile(r"<<(\d+)([-+*/])(\d+)=(\d+)>>(\d+)")
SPLITS = ("train", "validation", "test")


def take(count, *, seed=0, split="train"):
    return list(generate(count, seed=seed, split=split))


def work_out(left, sign, right):
    a, b = Fraction(left), Fraction(right)
    return {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign]


def numbers(text):
    return {int(found) for found in re.findall(r"\d+", text)}


@pytest.mark.parametrize("split", SPLITS)
def test_every_step_is_right_and_the_last_one_is_the_answer(split):
    for problem in take(1600, seed=3, split=split):
        for line in problem.steps:
            [(left, sign, right, inside, after)] = MARK.findall(line)
            assert work_out(left, sign, right) == int(inside) == int(after)
        assert int(after) == problem.answer
        assert problem.solution == "\n".join((*problem.steps, f"#### {problem.answer}"))


def test_every_operand_comes_from_the_question_or_an_earlier_step():
    for problem in take(1600, seed=5):
        known = numbers(problem.question) | {2}  # "half", "around" and the like hide a 2
        for line in problem.steps:
            [(left, _, right, result, _)] = MARK.findall(line)
            assert {int(left), int(right)} <= known, problem
            known.add(int(result))


def test_every_number_in_the_question_is_used():
    for problem in take(1600, seed=6):
        assert numbers(problem.question) <= numbers(problem.solution), problem


def test_each_run_of_problems_holds_every_family_once():
    problems = take(10 * len(FAMILIES))
    names = {family.name for family in FAMILIES}
    assert len(names) == len(FAMILIES) >= 12
    for start in range(0, len(problems), len(FAMILIES)):
        assert {p.family for p in problems[start : start + len(FAMILIES)]} == names


def test_problems_take_one_to_four_steps():
    assert {len(problem.steps) for problem in take(160)} == {1, 2, 3, 4}


def test_no_question_is_in_two_splits_or_twice_in_one():
    questions = {
        s: [p.question for seed in (0, 1) for p in take(400, seed=seed, split=s)] for s in SPLITS
    }
    for name in SPLITS:
        assert {split_of(question) for question in questions[name]} == {name}
        once = [p.question for p in take(1000, split=name)]
        assert len(once) == len(set(once))
    assert not set(questions["train"]) & set(questions["validation"])
    assert not set(questions["train"]) & set(questions["test"])
    assert not set(questions["validation"]) & set(questions["test"])


def test_the_same_seed_gives_the_same_problems_and_another_seed_others():
    assert take(50, seed=1) == take(50, seed=1)
    assert take(20, seed=1) == take(50, seed=1)[:20]
    assert take(50, seed=1) != take(50, seed=2)


def test_problems_are_made_one_at_a_time():
    assert next(generate(10**12, seed=0)).id.startswith("train-00000-")


def test_ids_are_unique():
    ids = [p.id for split in SPLITS for p in take(300, split=split)]
    assert len(ids) == len(set(ids))


def test_questions_read_like_sentences():
    for problem in take(1600, seed=9):
        assert problem.question[0].isupper() or problem.question[0].isdecimal()
        assert problem.question.endswith("?")
        assert "{" not in problem.question + problem.solution
        assert "  " not in problem.question + problem.solution


def test_a_nova_record_carries_its_reference_as_an_object():
    [problem] = take(1)
    record = to_record(problem, shape="nova")
    assert [m["role"] for m in record["messages"]] == ["system", "user"]
    assert problem.question in record["messages"][1]["content"]
    assert '"####"' in record["messages"][1]["content"]
    assert record["reference_answer"] == {
        "final_answer": str(problem.answer),
        "steps": list(problem.steps),
    }
    assert record["original_answer"] == problem.solution
    assert json.loads(json.dumps(record)) == record


def test_an_open_weight_record_carries_its_reference_as_the_solution():
    [problem] = take(1)
    record = to_record(problem, shape="open-weight")
    assert [m["role"] for m in record["messages"]] == ["user"]
    assert record["reference_answer"] == problem.solution
    assert record["ground_truth"] == str(problem.answer)
    assert json.loads(json.dumps(record)) == record
