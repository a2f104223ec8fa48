"""What each reward pays for strategies that see only the prompts; see the audit's adversary."""

from __future__ import annotations

import importlib
import random
import re
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pytest

from bedrock_rft_sim.grader.audit.adversary import blind_answers, shown
from rewards import gsm8k, math_steps

ROOT = Path(__file__).parent.parent.parent
NAMES = sorted(path.stem for path in (ROOT / "rewards").glob("*.py") if path.stem != "__init__")
# Each answer of these starts a process, or goes to a model.
FAMILIES = {"code_tests": ("code",), "llm_judge": ("frequent", "words")}
OPEN_WEIGHT = 'Let\'s think step by step and output the final answer after "####".'


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "code_tests")) for name in NAMES],
)
def test_the_docstring_states_the_floor_on_the_rows_of_the_tests(
    name, answered, request, monkeypatch
):
    if name == "llm_judge":
        request.getfixturevalue("judge")
    reward = importlib.import_module(f"rewards.{name}")
    if name == "adaptive":
        monkeypatch.setattr(reward, "STATE", reward.State())
    event = answered(name, lambda row: "")
    floor = floor_of(reward, event, families=FAMILIES.get(name, ()))
    print(f"{name}: floor {floor.score:.2f} ({floor.strategy})")
    stated = re.search(r"^Floor (\d\.\d\d) on the rows of its tests", reward.__doc__, re.MULTILINE)
    assert stated, "the docstring states no floor"
    assert stated[1] == f"{floor.score:.2f}"


def floor_of(reward, event, *, families=()):
    """Return the floor of a reward on the samples of an event, whose answers are replaced."""
    prompts = ["\n".join(turn["content"] for turn in each["messages"][:-1]) for each in event]
    references = [each["reference_answer"] for each in event]

    def grade(pairs):
        samples = []
        for row, answer in pairs:
            turn = {"role": "assistant", "content": answer}
            samples.append({**event[row], "messages": [*event[row]["messages"][:-1], turn]})
        return [each["aggregate_reward_score"] for each in reward.lambda_handler(samples, None)]

    strategies = blind_answers(prompts, references, families=families)
    by_row = zip(*strategies.values(), strict=True)
    asked = [(row, answer) for row, each in enumerate(by_row) for answer in dict.fromkeys(each)]
    scores = dict(zip(asked, grade(asked), strict=True))
    means = {
        name: fmean(scores[pair] for pair in enumerate(answers))
        for name, answers in strategies.items()
    }
    best = max(means, key=means.get)
    return Paid(means[best], best, means)


class Paid(NamedTuple):
    """The best of the strategies, and what each earns on average."""

    score: float
    strategy: str
    by_strategy: dict[str, float]


@pytest.fixture
def gsm8k_event(gsm8k_folder, read_jsonl):
    """Return 600 drawn rows of the official training file, unanswered."""
    records = random.Random(0).sample(read_jsonl(gsm8k_folder / "train.jsonl"), 600)
    return [sample(number, each["question"], each["answer"]) for number, each in enumerate(records)]


def sample(number, question, solution, answer=""):
    """Return one sample of an event."""
    prompt = {"role": "user", "content": f"{question} {OPEN_WEIGHT}"}
    turn = {"role": "assistant", "content": answer}
    return {"id": str(number), "messages": [prompt, turn], "reference_answer": solution}


@pytest.mark.slow
def test_math_steps_pays_no_script_that_lists_chains_or_guesses_equations(gsm8k_event):
    floor = floor_of(math_steps, gsm8k_event, families=("arithmetic",))
    best = {
        way: max(score for name, score in floor.by_strategy.items() if name.endswith(way))
        for way in ("listed", "chained", "guessed")
    }
    print(f"math_steps on 600 rows of GSM8K: {best}")
    assert best["listed"] <= 0.015
    assert best["chained"] <= 0.015
    assert best["guessed"] <= 0.03
    right = floor_of(gsm8k, gsm8k_event, families=("arithmetic",)).by_strategy
    assert max(score - right[name] for name, score in floor.by_strategy.items()) <= 0.006


@pytest.mark.slow
def test_the_most_frequent_answers_earn_what_they_are_worth(gsm8k_event):
    paid = floor_of(math_steps, gsm8k_event, families=("frequent",))
    right = floor_of(gsm8k, gsm8k_event, families=("frequent",)).by_strategy
    assert paid.score <= 0.04
    assert max(paid.by_strategy[name] - right[name] for name in right) <= 0.006


# What the reward paid before it had a floor of 0.08: 0.8 x matched / steps.
@pytest.mark.parametrize(
    ("spoil", "paid_before"),
    [
        ("the last result", 0.47),
        ("a result, carried forward", 0.28),
        ("the last sum", 0.47),
        ("a sum, carried forward", 0.28),
    ],
)
def test_math_steps_still_pays_an_honest_solution_with_one_error(spoil, paid_before, gsm8k_event):
    spoiled = []
    for number, each in enumerate(gsm8k_event):
        answer = spoil_solution(each["reference_answer"], spoil, random.Random(number))
        if answer is not None:
            spoiled.append(sample(number, "?", each["reference_answer"], answer))
    assert len(spoiled) >= 580
    results = math_steps.lambda_handler(spoiled, None)
    assert max(each["metrics_list"][0]["value"] for each in results) == 0.0  # none is right
    paid = sum(each["aggregate_reward_score"] for each in results) / len(results)
    print(f"{spoil}: {paid:.3f}, before {paid_before}")
    assert paid >= paid_before / 2


MARK = re.compile(r"<<([^<>=]+)=([^<>=]+)>>[0-9.,]*")
DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")


def spoil_solution(solution, spoil, draw):
    """Return a solution with one error in it and in all that follows from it; None without a sum.

    The error is a wrong result, or another number in the sum.
    """
    body, _, end = solution.rpartition("####")
    marks = list(MARK.finditer(body))
    if not marks:
        return None
    place = len(marks) - 1 if "last" in spoil else draw.randrange(len(marks))
    wrong = {}  # results that have changed
    text, at = "", 0
    for number, mark in enumerate(marks):
        left = DIGITS.sub(lambda digits: wrong.get(digits[0], digits[0]), mark[1])
        if number == place and "sum" in spoil:
            digits = draw.choice(list(DIGITS.finditer(left)))
            other = str(int(float(digits[0])) + draw.choice((1, 2, 3)))
            left = left[: digits.start()] + other + left[digits.end() :]
        result = value_of(left) if left != mark[1] else mark[2]
        if number == place and "result" in spoil:
            result = shown(math_steps.to_number(mark[2]) + draw.choice((1, 2, 10, -1)))
        if result is None:
            return None
        wrong[mark[2]] = result
        text += f"{body[at : mark.start()]}<<{left}={result}>>{result}"
        at = mark.end()
    final = result if math_steps.to_number(result) != math_steps.to_number(end) else result + "1"
    return f"{text}{body[at:]}#### {final}"


def value_of(left):
    """Return what a sum comes to, as people write it."""
    value = math_steps.evaluate(left.translate(math_steps.TRANSLATION))
    return None if value is None else shown(value)
