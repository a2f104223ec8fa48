"""Counts and costs worked out by hand, with the sources of the figures.

The job: 200 records, batches of 16 prompts x 4 answers, 2 epochs, validation of 32 prompts.
Steps: floor(200 / 16) = 12 an epoch, 24 in all (verl, drop_last).  Rollouts: 24 x 64 = 1,536.
Validations after steps 0, 12 and 24: 3 x 32 = 96 answers.  Graded answers: 1,632.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.estimate import JobEstimate, Measured
from bedrock_rft_sim.estimate.free_memory import MAIN_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.quantity import Quantity
from bedrock_rft_sim.estimate.workload import job_counts, steps_of
from bedrock_rft_sim.recipe import Recipe, load_recipe

KNOBS = "customizationConfig.rftConfig.hyperParameters"
LONGER = ("local.trainingData=problems:200", "local.validationData=problems:32")
"""Prompts of 45 to 79 tokens, where the sums all have 19."""
ROLLOUTS, VALIDATION, ANSWERS = 1536, 96, 1632


def measured(**changes: object) -> Measured:
    values: dict[str, object] = {
        "source": "probe p.json",
        "model": "tiny",
        "limit": 100,
        "response_tokens": Quantity(50.0, 40.0, 60.0, "measured"),
        "cut_share": 0.0,
        "grader_seconds": Quantity(0.002, 0.001, 0.004, "measured"),
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
    assert ROLLOUTS + VALIDATION == ANSWERS


def test_the_published_run_has_67_steps_of_32_rollouts(
    estimated: Callable[..., JobEstimate],
) -> None:
    # 300 records, 0.9 split, n_epochs 1, batch_size 4: amazon-bedrock-samples
    job = estimated(load_recipe("gsm8k-open-weight")).job
    assert job is not None
    assert (job.steps.total, job.rollouts.value) == (67, 67 * 32)


def test_the_published_notebook_s_6000_prompts_make_about_188_steps_and_24000_answers(
    recipe_of: Callable[..., Recipe],
) -> None:
    # amazon-bedrock-samples, GSM8K on Nova: 6k / 32 is about 188 steps, 24k responses
    recipe = recipe_of(f"{KNOBS}.batchSize=32", f"{KNOBS}.epochCount=1")
    data = Data(train=(), validation=(), records=6000, too_long=(), prompt_tokens=(100,) * 6000)
    job = job_counts(recipe, data, steps_of(recipe, data), None, judge_calls=None)
    # floor(6000 / 32) = 187, since the last half batch is dropped; 187 x 32 x 4
    assert (job.steps.total, job.rollouts.value) == (187, 23_936)
    assert job.prompt_tokens.value == 23_936 * 100


def test_prompt_tokens_are_those_of_every_rollout_of_a_full_batch(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
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
    assert any("25 % of the measured answers were cut" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("seen", "each"),
    [
        # cut in the probe, or of one prompt alone: how long is not known, but never over the limit
        (Quantity(50.0, None, None, "measured"), (50, None, 100)),
        (Quantity(50.0, 40.0, 160.0, "measured"), (50, 40, 100)),
        # a probe that allowed more
        (Quantity(300.0, 250.0, 350.0, "measured"), (100, 100, 100)),
    ],
)
def test_no_answer_is_longer_than_the_request_allows(
    seen: Quantity,
    each: tuple[float | None, ...],
    recipe_of: Callable[..., Recipe],
    estimated: Callable[..., JobEstimate],
) -> None:
    job = estimated(recipe_of(), measured(response_tokens=seen, limit=2048)).job
    assert job is not None
    found = job.response_tokens
    told = [None if number is None else ANSWERS * number for number in each]
    assert [found.value, found.low, found.high] == told


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
    seen = measured(grader_seconds=Quantity(0.05, 0.05, 0.05, "measured"))
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
    assert found.job.judge_calls is not None
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
    free = FreeMemory(2**33, MAIN_MEMORY)
    plain = estimated(recipe_of(), free=free)
    small = estimated(recipe_of("local.overrides.batchSize=4", "local.maxSteps=3"), free=free)
    assert small.job == plain.job
    assert small.memory is not None
    assert plain.memory is not None
    assert small.memory.activations < plain.memory.activations


def test_prompts_that_only_this_machine_drops_are_counted_for_the_job(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    plain, short = recipe_of(*LONGER), recipe_of(*LONGER, "local.overrides.maxPromptLength=60")
    data = plan.read_data(short, load_tokenizer("tiny"))
    # 60 tokens let some of both sets through here, and drop some of both
    assert 16 <= len(data.train) < 200
    assert 0 < len(data.validation) < 32
    found = estimated(short)
    assert found.job == estimated(plain).job
    assert found.job is not None
    assert found.job.validation_answers.value == VALIDATION


def test_prompts_that_the_request_drops_are_left_out_although_this_machine_keeps_them(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    wider = "local.overrides.maxPromptLength=128"
    sent = recipe_of(*LONGER, f"{KNOBS}.maxPromptLength=60")
    kept = recipe_of(*LONGER, f"{KNOBS}.maxPromptLength=60", wider)
    assert estimated(kept).job == estimated(sent).job
    assert estimated(kept).job != estimated(recipe_of(*LONGER)).job
    assert estimated(recipe_of(*LONGER, f"{KNOBS}.maxPromptLength=8", wider)).job is None


def test_a_line_that_is_only_bounded_does_not_swallow_the_sum(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate], tmp_path: Path
) -> None:
    reward = asks_bedrock(tmp_path)
    found = estimated(recipe_of(f"local.reward={reward}"), price=["judge-call=0.01"])
    assert found.bill is not None
    # 1,632 answers x 1 call x $0.01 + 27 requests x $0.0000002 + $1.95 for storage
    known, on_top = found.bill.known, found.bill.on_top
    assert known.value == pytest.approx(16.32 + 5.4e-6 + 1.95)
    assert known.basis == "assumed"
    assert (known.low, known.high) == (None, None)  # how often a judge is asked has no bounds
    # 1,632 answers x 3 s x 0.5 GB x $0.0000166667
    assert on_top is not None
    assert (on_top.value, on_top.basis) == (None, "upper bound")
    assert on_top.high == pytest.approx(1632 * 1.5 * 0.0000166667)


def test_a_measured_bill_has_nothing_on_top(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), measured())
    assert found.bill is not None
    assert found.bill.on_top is None


def asks_bedrock(folder: Path) -> Path:
    reward = folder / "judge.py"
    reward.write_text("import boto3\nclient = boto3.client('bedrock-runtime')\n")
    return reward


def test_a_zipped_judge_is_counted_as_the_file_in_it(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate], tmp_path: Path
) -> None:
    reward, archive = asks_bedrock(tmp_path), tmp_path / "judge.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(reward, "lambda_function.py")
    for path in (reward, archive):
        found = estimated(recipe_of(f"local.reward={path}"))
        assert found.job is not None
        assert found.job.judge_calls is not None
        assert (found.job.judge_calls.value, found.job.judge_calls.basis) == (ANSWERS, "assumed")
        assert any("looks as if it asks a model" in remark for remark in found.remarks)


def test_judge_calls_of_a_reward_that_cannot_be_read_are_unknown_and_not_none(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate], tmp_path: Path
) -> None:
    archive = tmp_path / "torn.zip"
    archive.write_bytes(b"PK, and no more")
    recipe = recipe_of(f"local.reward={archive}")
    found = estimated(recipe)
    assert found.job is not None
    assert found.bill is not None
    assert found.job.judge_calls is None
    line = next(line for line in found.bill.lines if line.name == "judge calls")
    assert (line.usd, found.bill.complete) == (None, False)
    assert line.missing is not None
    assert "--judge-calls" in line.missing
    told = estimated(recipe, judge_calls=2.0).job
    assert told is not None
    assert told.judge_calls is not None
    assert told.judge_calls.value == 2 * ANSWERS


def test_each_invocation_is_billed_for_a_millisecond_at_least(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    # 10 microseconds an answer: 0.016 s in all, but 27 invocations are billed 0.027 s at the
    # fewest, and 1,632 of one answer each 1.632 s
    seen = measured(grader_seconds=Quantity(1e-5, 1e-5, 1e-5, "measured"))
    job = estimated(recipe_of("local.lambda.memorySize=1024"), seen).job
    assert job is not None
    bills = (job.gb_seconds.low, job.gb_seconds.value, job.gb_seconds.high)
    assert bills == pytest.approx((0.027, 0.027, 1.632))


def test_data_that_makes_no_step_of_the_request_is_no_job(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of("local.overrides.batchSize=4", rows=10))
    assert found.job is None
    assert found.bill is None
    assert any("batch of 16 prompts is larger than the data" in r for r in found.remarks)
