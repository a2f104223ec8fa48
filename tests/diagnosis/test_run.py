"""Every check has a synthetic run in which it fires and one in which it nearly does."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.diagnosis import Evidence, Finding, diagnose_run, headline
from bedrock_rft_sim.diagnosis.answers import (
    length_explosion,
    parse_failures,
    truncated_answers,
)
from bedrock_rft_sim.diagnosis.bend import find_bend
from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.diagnosis.gaming import reward_at_floor, reward_gaming
from bedrock_rft_sim.diagnosis.grading import grader_errors, grader_latency
from bedrock_rft_sim.diagnosis.policy import (
    entropy_collapse,
    entropy_stuck,
    gradient_growth,
    gradient_spikes,
)
from bedrock_rft_sim.diagnosis.reward import (
    component_dominates,
    reward_falling,
    reward_plateau,
    reward_unstable,
    validation_parts,
)
from bedrock_rft_sim.diagnosis.run import CHECKS
from bedrock_rft_sim.diagnosis.signal import (
    base_model_hopeless,
    base_model_saturated,
    learning_signal,
    signal_dried_up,
)

STEPS = 50
FLOOR = {"score": 0.2, "strategy": "guesses: the first number", "strategies": 327, "rows": 32}
Course = Callable[[float], Any]
"""A metric as a function of the share of the run, 0 to 1."""


def noisy(course: Course, size: float = 0.02, seed: int = 0) -> Course:
    """The course with the same noise each time it is asked for the same place."""
    return lambda share: course(share) + random.Random(f"{seed} {share}").uniform(-size, size)


def line_to(start: float, end: float) -> Course:
    return lambda share: start + (end - start) * share


def up_then_level(level: float, bend: float) -> Course:
    return lambda share: 0.3 + (level - 0.3) * min(1.0, share / bend)


HEALTHY: dict[str, Course] = {
    "critic_rewards_mean": noisy(line_to(0.3, 0.8)),
    "critic_rewards_min": lambda _: 0.0,
    "critic_rewards_max": lambda _: 1.0,
    "response_length_mean": noisy(line_to(100, 120), 3),
    "actor_entropy": noisy(line_to(0.6, 0.3)),
    "actor_grad_norm": noisy(lambda _: 0.3, 0.1),
    "local_groups_mixed": line_to(0.8, 0.5),
    "local_groups_all_right": line_to(0.0, 0.4),
    "local_groups_all_wrong": line_to(0.2, 0.1),
    "local_positive_share": line_to(0.3, 0.8),
    "local_truncated_share": lambda _: 0.0,
    "local_parse_failures": lambda _: 0.01,
    "local_grader_latency_p50_s": lambda _: 0.01,
    "local_grader_latency_p95_s": lambda _: 0.02,
    "local_grader_latency_max_s": lambda _: 0.03,
    "local_grader_errors": lambda _: {},
    "local_seconds": lambda _: {"total": 4.0, "grade": 0.1},
    "local_reward_components": lambda share: {"accuracy": share, "format": share},
}


def evidence(*, steps: int = STEPS, **courses: Any) -> Evidence:
    """Return a healthy run with some of its metrics replaced; validation at every tenth step."""
    known = {name: courses.pop(name) for name in list(courses) if name in Evidence.__slots__}
    validation = courses.pop("validation_rewards_mean", line_to(0.35, 0.85))
    table = {**HEALTHY, **courses}
    lines: list[dict[str, Any]] = [{"step": 0, "validation_rewards_mean": validation(0.0)}]
    for step in range(1, steps + 1):
        share = (step - 1) / max(1, steps - 1)
        line = {name: course(share) for name, course in table.items() if course is not None}
        if step % 10 == 0:
            line["validation_rewards_mean"] = validation(share)
        lines.append({"step": step, "total_steps": steps, **line})
    limits = {"timeout_s": 3.0, "inference_max_tokens": 512, "floor": FLOOR}
    return Evidence(lines, **{**limits, **known})


def at(step: int, value: float, usual: float) -> Course:
    """A metric that has another value at one step."""
    return lambda share: value if round(share * (STEPS - 1)) + 1 == step else usual


# check, run in which it fires, severity, words in it, run in which it nearly does
PAIRS: dict[str, tuple[Any, Evidence, str, str, Evidence]] = {
    "no learning signal": (
        learning_signal,
        evidence(
            local_groups_mixed=lambda _: 0.0,
            local_groups_all_wrong=lambda _: 1.0,
            local_positive_share=lambda _: 0.0,
            critic_rewards_max=lambda _: 0.0,
        ),
        "problem",
        "every advantage was 0",
        evidence(local_groups_mixed=lambda _: 0.06),
    ),
    "signal dried up": (
        signal_dried_up,
        evidence(local_groups_mixed=line_to(0.8, 0.02)),
        "note",
        "taught nothing",
        evidence(local_groups_mixed=line_to(0.8, 0.08)),
    ),
    "saturation": (
        base_model_saturated,
        evidence(critic_rewards_mean=lambda _: 0.97),
        "warning",
        "hardly anything left to learn",
        evidence(critic_rewards_mean=lambda _: 0.94),
    ),
    "hopeless": (
        base_model_hopeless,
        evidence(local_positive_share=lambda _: 0.03),
        "problem",
        "training struggles",
        evidence(local_positive_share=lambda _: 0.06),
    ),
    "reward falling": (
        reward_falling,
        evidence(critic_rewards_mean=noisy(lambda s: 0.8 - abs(s - 0.5))),
        "problem",
        "standard errors",
        evidence(critic_rewards_mean=noisy(lambda s: 0.8 - 0.15 * abs(s - 0.5))),
    ),
    "reward falling at the very end": (
        reward_falling,
        evidence(critic_rewards_mean=noisy(lambda s: 0.7 if s < 0.92 else 0.45)),
        "problem",
        "standard errors",
        evidence(critic_rewards_mean=noisy(lambda s: 0.7 if s < 0.92 else 0.62)),
    ),
    "reward unstable": (
        reward_unstable,
        evidence(critic_rewards_mean=lambda s: 0.5 + 0.2 * math.sin(40 * s)),
        "warning",
        "Steps scatter by",
        evidence(critic_rewards_mean=lambda s: 0.5 + 0.1 * math.sin(40 * s)),
    ),
    "parting": (
        validation_parts,
        evidence(critic_rewards_mean=lambda _: 0.81, validation_rewards_mean=lambda _: 0.70),
        "warning",
        "a gap of 0.110 (above 0.10)",
        evidence(critic_rewards_mean=lambda _: 0.79, validation_rewards_mean=lambda _: 0.70),
    ),
    "one component": (
        component_dominates,
        evidence(
            local_reward_components=lambda s: {"accuracy": 0.2 + 0.01 * s, "format": 0.2 + 0.7 * s}
        ),
        "warning",
        "format carried",
        evidence(
            local_reward_components=lambda s: {"accuracy": 0.2 + 0.1 * s, "format": 0.2 + 0.7 * s}
        ),
    ),
    "reward gaming by its own accuracy": (
        reward_gaming,
        evidence(
            critic_rewards_mean=noisy(line_to(0.01, 0.06), 0.01),
            local_truncated_share=line_to(0.7, 0.95),
            local_reward_components=lambda s: {"accuracy": 0.0, "steps": 0.02 + 0.1 * s},
        ),
        "problem",
        "accuracy from 0.000 to 0.000: it pays for something else (cut answers went from",
        evidence(
            critic_rewards_mean=noisy(line_to(0.01, 0.06), 0.01),
            local_reward_components=lambda s: {"accuracy": 0.02 * s, "steps": 0.1 * s},
        ),
    ),
    "reward gaming by its signs": (
        reward_gaming,
        evidence(
            looping=dict(enumerate(line_to(0.1, 0.6)(s / 49) for s in range(STEPS))),
            local_reward_components=None,
        ),
        "warning",
        "while answers that repeat themselves from",
        evidence(local_truncated_share=line_to(0.0, 0.3), local_reward_components=None),
    ),
    "reward gaming by a second opinion": (
        reward_gaming,
        evidence(
            local_reward_components=None,
            local_also_graded=lambda s: {"exact": 0.3, "other": 0.3 + 0.09 * s},
        ),
        "problem",
        "second opinion other from 0.308 to 0.382: it pays for something else",
        evidence(
            local_reward_components=None, local_also_graded=lambda s: {"exact": 0.3 + 0.2 * s}
        ),
    ),
    "reward gaming by one of two goals": (
        reward_gaming,
        evidence(local_also_graded=lambda _: {"exact": 0.3}),
        "warning",
        "second opinion exact from 0.300 to 0.300: second opinion exact did not follow.",
        evidence(local_also_graded=lambda _: {"exact": 0.9}),
    ),
    "reward at its floor": (
        reward_at_floor,
        evidence(critic_rewards_mean=noisy(lambda _: 0.2), floor=FLOOR),
        "warning",
        "no more than a script earns that sees only the prompts (guesses: the first number)",
        evidence(critic_rewards_mean=noisy(lambda _: 0.23), floor=FLOOR),
    ),
    "entropy collapse": (
        entropy_collapse,
        evidence(actor_entropy=lambda s: 0.6 if s < 0.5 else 0.05),
        "warning",
        "nearly all alike",
        evidence(actor_entropy=lambda s: 0.6 if s < 0.5 else 0.07),
    ),
    "entropy stuck": (
        entropy_stuck,
        evidence(
            actor_entropy=noisy(lambda _: 0.6, 0.01), critic_rewards_mean=noisy(lambda _: 0.3)
        ),
        "warning",
        "hardly reacts",
        evidence(actor_entropy=line_to(0.6, 0.55), critic_rewards_mean=noisy(lambda _: 0.3)),
    ),
    "gradient spikes": (
        gradient_spikes,
        evidence(actor_grad_norm=at(30, 1.6, 0.3)),
        "warning",
        "step 30",
        evidence(actor_grad_norm=at(30, 1.4, 0.3)),
    ),
    "gradient growth": (
        gradient_growth,
        evidence(actor_grad_norm=noisy(line_to(0.3, 0.9), 0.05)),
        "warning",
        "grew all along",
        evidence(actor_grad_norm=noisy(line_to(0.3, 0.5), 0.05)),
    ),
    "length explosion": (
        length_explosion,
        evidence(response_length_mean=lambda s: 100 * 3**s),
        "warning",
        "grew to 3 times their length (from 111 to 272 tokens",
        evidence(response_length_mean=lambda s: 100 * 1.9**s),
    ),
    "length grows from the first step": (
        length_explosion,
        evidence(response_length_mean=noisy(line_to(100, 240), 3)),
        "warning",
        "grew to 2.3 times their length",
        evidence(response_length_mean=noisy(line_to(100, 185), 3)),
    ),
    "length shrinks from the first step": (
        length_explosion,
        evidence(response_length_mean=noisy(line_to(240, 100), 3)),
        "warning",
        "shrank to",
        evidence(response_length_mean=noisy(line_to(185, 100), 3)),
    ),
    "length jump": (
        length_explosion,
        evidence(response_length_mean=at(30, 210, 100)),
        "warning",
        "At step 30",
        evidence(response_length_mean=at(30, 190, 100)),
    ),
    "loops": (
        length_explosion,
        evidence(looping=dict.fromkeys(range(1, STEPS + 1), 0.06)),
        "warning",
        "repeating themselves",
        evidence(looping=dict.fromkeys(range(1, STEPS + 1), 0.04)),
    ),
    "truncation": (
        truncated_answers,
        evidence(local_truncated_share=lambda _: 0.06),
        "warning",
        "inferenceMaxTokens (512)",
        evidence(local_truncated_share=lambda _: 0.04),
    ),
    "parse failures": (
        parse_failures,
        evidence(local_parse_failures=lambda _: 0.5),
        "problem",
        "found no answer in 50 %",
        evidence(local_parse_failures=lambda _: 0.09),
    ),
    "grader errors": (
        grader_errors,
        evidence(local_grader_errors=lambda s: {"HandlerError": 2} if s == 1.0 else {}),
        "warning",
        "2 x HandlerError",
        evidence(local_grader_errors=lambda _: {}),
    ),
    "grader near its timeout": (
        grader_latency,
        evidence(local_grader_latency_max_s=lambda _: 1.6),
        "warning",
        "53 % of the timeout of 3 s",
        evidence(local_grader_latency_max_s=lambda _: 1.4),
    ),
    "grader holds up the steps": (
        grader_latency,
        evidence(local_seconds=lambda _: {"total": 4.0, "grade": 1.1}),
        "warning",
        "28 % of the steps' time",
        evidence(local_seconds=lambda _: {"total": 4.0, "grade": 0.9}),
    ),
    "reward plateau": (
        reward_plateau,
        evidence(critic_rewards_mean=noisy(up_then_level(0.8, 0.4))),
        "note",
        "up to step",
        evidence(critic_rewards_mean=noisy(up_then_level(0.8, 0.95))),
    ),
    "reward stuck low": (
        reward_plateau,
        evidence(critic_rewards_mean=noisy(lambda _: 0.1)),
        "problem",
        "rethink",
        evidence(critic_rewards_mean=noisy(line_to(0.1, 0.2))),
    ),
}


@pytest.mark.parametrize("case", PAIRS, ids=str)
def test_a_check_fires_where_it_should_with_numbers_and_a_remedy(case: str) -> None:
    check, run, severity, words, _ = PAIRS[case]
    finding = check(run)
    assert (finding.severity, words in finding.says) == (severity, True), finding
    assert finding.remedy
    assert finding.numbers
    assert all(math.isfinite(number) for number in finding.numbers.values())


@pytest.mark.parametrize("case", PAIRS, ids=str)
def test_a_check_stays_clear_where_it_nearly_fired(case: str) -> None:
    check, *_, nearly = PAIRS[case]
    assert check(nearly).severity == "clear", check(nearly)


def test_every_check_has_its_pair() -> None:
    assert {pair[0] for pair in PAIRS.values()} == set(CHECKS)


def test_a_healthy_run_has_nothing_to_report() -> None:
    run = evidence(reward_components=frozenset({"accuracy", "format"}))
    findings = diagnose_run(run)
    assert [finding.severity for finding in findings] == ["clear"] * len(CHECKS)
    assert headline(run, findings) == (
        "Validation reward 0.350 → 0.850. 20 checks ran: nothing to report."
    )


@pytest.mark.parametrize("lines", [[], [{"step": 0, "total_steps": 3}]], ids=["none", "step 0"])
def test_a_run_without_a_step_is_not_judged(lines: list[dict[str, Any]]) -> None:
    findings = diagnose_run(Evidence(lines))
    assert {finding.severity for finding in findings} == {"unknown"}
    assert headline(Evidence(lines), findings).startswith("No training step was recorded.")


def test_a_course_needs_ten_steps() -> None:
    short = diagnose_run(evidence(steps=9, critic_rewards_mean=line_to(0.9, 0.1)))
    assert "reward falling" not in {finding.rule for finding in fired(short)}
    ten = diagnose_run(evidence(steps=10, critic_rewards_mean=line_to(0.9, 0.1)))
    assert "reward falling" in {finding.rule for finding in fired(ten)}


def test_the_gravest_comes_first() -> None:
    run = evidence(
        local_parse_failures=lambda _: 0.6,
        local_truncated_share=lambda _: 0.1,
        local_groups_mixed=line_to(0.8, 0.02),
    )
    assert [finding.severity for finding in fired(diagnose_run(run))] == [
        "problem",
        "warning",
        "note",
    ]
    assert "1 problem, 1 warning, 1 note" in headline(run, diagnose_run(run))


def test_grades_below_zero_do_not_make_a_base_model_hopeless() -> None:
    run = evidence(local_positive_share=lambda _: 0.01, critic_rewards_min=lambda _: -1.0)
    assert base_model_hopeless(run).severity == "unknown"


def test_a_small_validation_set_must_fall_further_before_it_counts() -> None:
    def falls(share: float) -> float:
        return 0.8 if share < 0.5 else 0.65

    level = {"critic_rewards_mean": line_to(0.3, 0.7), "validation_rewards_mean": falls}
    assert validation_parts(evidence(**level, validation_prompts=750)).severity == "warning"
    assert validation_parts(evidence(**level, validation_prompts=30)).severity == "clear"


def test_jitter_that_a_small_batch_explains_asks_for_more_prompts() -> None:
    course = noisy(lambda _: 0.5, 0.35)
    small = reward_unstable(evidence(critic_rewards_mean=course, prompts_per_step=4))
    assert "a batch of 4 prompts explains 25 %" in small.says
    assert small.remedy.startswith("Increase the batch size: so few prompts")
    large = reward_unstable(evidence(critic_rewards_mean=course, prompts_per_step=128))
    assert "lower the learning rate" in large.remedy


def test_a_hopeless_start_that_rose_is_a_note() -> None:
    assert base_model_hopeless(evidence(local_positive_share=line_to(0.01, 0.9))).severity == "note"


def test_metrics_in_metrics_list_do_not_count_as_parts_of_the_reward() -> None:
    run = evidence(
        local_reward_components=lambda s: {"accuracy": 0.2, "answer_found": s},
        reward_components=frozenset({"accuracy"}),
    )
    assert component_dominates(run).severity == "unknown"


def test_a_plateau_under_rising_validation_does_not_advise_fewer_steps() -> None:
    level = noisy(up_then_level(0.8, 0.4))
    rising = reward_plateau(evidence(critic_rewards_mean=level))
    assert "judge the length of the run by validation" in rising.remedy
    still = evidence(critic_rewards_mean=level, validation_rewards_mean=lambda _: 0.8)
    assert "fewer epochs" in reward_plateau(still).remedy


@pytest.mark.parametrize("bend", [0.2, 0.4, 0.6])
def test_the_bend_is_found_where_it_was_put(bend: float) -> None:
    course = noisy(up_then_level(0.8, bend), 0.03, seed=1)
    found = find_bend([course(index / 199) for index in range(200)])
    assert abs(found.at - bend) < 0.08
    assert found.low <= found.at <= found.high
    assert abs(found.level - 0.8) < 0.02


def test_noise_around_a_level_is_seldom_called_a_rise() -> None:
    findings = [
        reward_plateau(evidence(critic_rewards_mean=noisy(lambda _: 0.5, 0.08, seed)))
        for seed in range(40)
    ]
    assert sum(finding.severity == "warning" for finding in findings) >= 38


def test_the_same_numbers_give_the_same_words() -> None:
    assert diagnose_run(evidence()) == diagnose_run(evidence())


EVIDENCE = Path(__file__).parents[3] / "shared" / "evidence" / "smollm2-math-steps"


@pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the recorded run is not there")
def test_a_recorded_run_whose_reward_paid_for_chained_equations_is_called_gaming() -> None:
    text = (EVIDENCE / "metrics.jsonl").read_text(encoding="utf-8")
    finding = reward_gaming(Evidence([json.loads(line) for line in text.splitlines()]))
    assert finding.severity == "problem"
    assert "accuracy from 0.000 to 0.003: it pays for something else" in finding.says


numbers = st.floats(-1e6, 1e6) | st.none() | st.text(max_size=3) | st.booleans()


@settings(max_examples=50)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(HEALTHY, numbers)),
        max_size=12,
    )
)
def test_no_numbers_at_all_break_a_check(rows: list[dict[str, Any]]) -> None:
    lines = [{"step": step, **row} for step, row in enumerate(rows)]
    for finding in diagnose_run(Evidence(lines)):
        assert isinstance(finding, Finding)
        json.dumps(finding.as_json(), allow_nan=False)


def test_a_floor_that_is_not_known_is_no_finding_and_says_why() -> None:
    for floor, words in ((None, "did not measure"), ({"left_out": "it asks a judge"}, "a judge")):
        finding = reward_at_floor(evidence(floor=floor))
        assert finding.severity == "unknown"
        assert words in finding.says
    unearned = evidence(critic_rewards_mean=lambda _: 0.0, floor=FLOOR | {"score": 0})
    assert reward_at_floor(unearned).severity == "clear"
