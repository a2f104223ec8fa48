"""Counts and costs worked out by hand, with the sources of the figures.

The job: 200 records, batches of 16 prompts x 4 answers, 2 epochs, validation of 32 prompts.
Steps: floor(200 / 16) = 12 an epoch, 24 in all (verl, drop_last).  Rollouts: 24 x 64 = 1,536.
Validations after steps 0, 12 and 24: 3 x 32 = 96 answers.  Graded answers: 1,632.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim.estimate import JobEstimate, Measured
from sim.probe import Estimate
from sim.recipe import Recipe

ROLLOUTS, VALIDATION, ANSWERS = 1536, 96, 1632


def measured(**changes: object) -> Measured:
    values: dict[str, object] = {
        "source": "probe p.json",
        "model": "tiny",
        "limit": 100,
        "response_tokens": Estimate(50.0, 40.0, 60.0, "bootstrap"),
        "cut_share": 0.0,
        "grader_seconds": Estimate(0.002, 0.001, 0.004, "bootstrap"),
    }
    return Measured(**{**values, **changes})  # type: ignore[arg-type]


def test_steps_rollouts_and_answers_are_counted(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    job = estimated(recipe_of()).job
    assert job is not None
    assert (job.steps.per_epoch, job.steps.total) == (12, 24)
    assert (job.rollouts.value, job.rollouts.basis) == (ROLLOUTS, "exact")
    assert job.validation_answers.value == VALIDATION
    assert job.answers == ANSWERS


def test_the_published_run_has_67_steps_of_32_rollouts(
    estimated: Callable[..., JobEstimate],
) -> None:
    # 300 records, 0.9 split, n_epochs 1, batch_size 4: amazon-bedrock-samples
    from sim.recipe import load_recipe

    job = estimated(load_recipe("gsm8k-open-weight")).job
    assert job is not None
    assert (job.steps.total, job.rollouts.value) == (67, 67 * 32)


def test_prompt_tokens_are_those_of_every_rollout_of_a_full_batch(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    from sim import plan
    from sim.tokens import load_tokenizer

    recipe = recipe_of()
    job = estimated(recipe).job
    count = plan.prompt_counter(recipe, load_tokenizer("tiny"))
    lengths = [count(row) for row in plan.source_rows(recipe, "train")]
    # 12 batches of 16 prompts use the first 192 of 200; 2 epochs; 4 rollouts each
    assert job is not None
    assert job.prompt_tokens.value == 2 * 4 * sum(lengths[:192])
    assert job.prompt_tokens.basis == "exact"


def test_without_a_measurement_response_tokens_are_only_bounded(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of())
    assert found.job is not None
    tokens = found.job.response_tokens
    assert (tokens.value, tokens.low) == (None, None)
    assert tokens.high == ANSWERS * 100
    assert tokens.basis == "upper bound"
    assert any("nothing was measured" in remark for remark in found.remarks)


def test_measured_lengths_give_tokens_with_an_interval(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    job = estimated(recipe_of(), measured()).job
    assert job is not None
    tokens = job.response_tokens
    assert (tokens.low, tokens.value, tokens.high) == (ANSWERS * 40, ANSWERS * 50, ANSWERS * 60)
    assert tokens.basis == "measured"


def test_answers_cut_at_a_lower_limit_may_go_on_to_the_request_s(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), measured(limit=80, cut_share=0.25))
    assert found.job is not None
    # a quarter of the answers may be up to 100 - 80 tokens longer than was seen
    assert found.job.response_tokens.high == pytest.approx(ANSWERS * (60 + 0.25 * 20))
    assert any("25.0 % of the measured answers were cut" in remark for remark in found.remarks)


def test_lambda_invocations_lie_between_full_events_and_one_answer_each(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    job = estimated(recipe_of()).job
    assert job is not None
    # 64 answers a step fill one event of 64 (SageMaker's lambda_batch_size); 32 make one too
    assert job.lambda_invocations.value == 24 * 1 + 3 * 1
    assert job.lambda_invocations.high == ANSWERS
    assert job.lambda_invocations.basis == "assumed"


def test_gb_seconds_and_their_price_are_aws_s_arithmetic(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of("local.lambda.memorySize=1024"), measured())
    assert found.job is not None
    assert found.bill is not None
    assert found.job.gb_seconds.value == pytest.approx(ANSWERS * 0.002 * 1.0)
    # whitepaper How AWS Pricing Works: $0.20 per million requests, $0.00001667 per GB-second
    lines = {line.name: line.usd for line in found.bill.lines}
    requests, duration = lines["Lambda requests"], lines["Lambda duration"]
    assert requests is not None
    assert duration is not None
    assert requests.value == pytest.approx(27 * 0.0000002)
    assert duration.value == pytest.approx(3.264 * 0.00001667, rel=1e-3)


def test_a_function_of_128_mb_that_runs_50_ms_costs_what_the_published_example_says(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    # 0.125 GB x 0.05 s x $0.0000166667 = $0.0000001041669 for each of the 1,632 answers
    seen = measured(grader_seconds=Estimate(0.05, 0.05, 0.05, "measured"))
    found = estimated(recipe_of("local.lambda.memorySize=128"), seen)
    assert found.bill is not None
    duration = next(line.usd for line in found.bill.lines if line.name == "Lambda duration")
    assert duration is not None
    assert duration.value == pytest.approx(ANSWERS * 0.0000001041669)


def test_an_unmeasured_handler_is_bounded_by_its_timeout(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    job = estimated(recipe_of("local.lambda.memorySize=512", "local.lambda.timeout=10")).job
    assert job is not None
    assert job.gb_seconds.high == ANSWERS * 10 * 0.5
    assert job.gb_seconds.value is None


def test_the_price_of_an_hour_is_asked_for_and_never_invented(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), measured())
    assert found.bill is not None
    training = found.bill.lines[0]
    assert training.usd is None
    assert training.missing is not None
    assert "--price rft-hour=USD" in training.missing
    assert "--seconds-per-step" in training.missing
    assert not found.bill.complete


def test_hours_and_their_cost_follow_from_what_the_user_gives(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), measured(), price=["rft-hour=40"], step_seconds=300.0)
    assert found.bill is not None
    # 24 steps x 300 s = 7,200 s = 2 h; 2 h x $40
    assert found.bill.hours is not None
    assert found.bill.hours.value == 2.0
    usd = found.bill.lines[0].usd
    assert usd is not None
    assert usd.value == 80.0
    assert found.bill.complete
    # 80 + 27 x 2e-7 + 1.632 GB-s x 1.66667e-5 (0.5 GB, 0.002 s each) + 1.95 for storage
    known = found.bill.known
    assert known.value == pytest.approx(80 + 5.4e-6 + 1.632 * 1.66667e-5 + 1.95)


def test_judge_calls_are_counted_per_answer_and_their_price_is_asked_for(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), judge_calls=2.0)
    assert found.job is not None
    assert found.bill is not None
    assert found.job.judge_calls.value == 2 * ANSWERS
    line = next(line for line in found.bill.lines if line.name == "judge calls")
    assert line.missing is not None
    assert "--price judge-call=USD" in line.missing
    priced = estimated(recipe_of(), judge_calls=2.0, price=["judge-call=0.001"])
    assert priced.bill is not None
    usd = next(line.usd for line in priced.bill.lines if line.name == "judge calls")
    assert usd is not None
    assert usd.value == pytest.approx(3.264)


def test_overrides_of_this_machine_change_the_rehearsal_and_not_the_job(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    plain = estimated(recipe_of(), free_bytes=2**33)
    small = estimated(
        recipe_of("local.overrides.batchSize=4", "local.maxSteps=3"), free_bytes=2**33
    )
    assert small.job == plain.job
    assert small.memory is not None
    assert plain.memory is not None
    assert small.memory.activations < plain.memory.activations


def test_data_that_makes_no_step_of_the_request_is_no_job(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of("local.overrides.batchSize=4", rows=10))
    assert found.job is None
    assert found.bill is None
    assert any("batch of 16 prompts is larger than the data" in r for r in found.remarks)
