"""What a job will do, counted: steps, rollouts, tokens, Lambda invocations, judge calls.

Counted for the request as it would be sent: what this machine alone overrides is left out. Tokens
are those of the local model's tokenizer; the cloud model's count differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bedrock_rft_sim.contract.limits import SAMPLES_PER_EVENT
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.estimate.judge import asks_a_judge
from bedrock_rft_sim.estimate.measured import Measured
from bedrock_rft_sim.estimate.quantity import Quantity, at_most, exact, stated
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs.run import MILLISECOND

MB_PER_GB = 1024


@dataclass(frozen=True)
class JobCounts:
    """The counts of one job."""

    steps: Steps
    rollouts: Quantity
    validation_answers: Quantity
    prompt_tokens: Quantity
    """Of all rollouts, each with its own prompt; validation left out."""
    response_tokens: Quantity
    """Of all rollouts and validation answers."""
    lambda_invocations: Quantity
    """From 64 answers in each event to one."""
    gb_seconds: Quantity
    judge_calls: Quantity | None
    """None where the reward's text can't be looked at."""


def job_counts(
    recipe: Recipe, data: Data, steps: Steps, seen: Measured | None, *, judge_calls: float | None
) -> JobCounts:
    """Count; `judge_calls` are those per answer, None to judge by the reward's text.

    `data` is the recipe's own: read with its own maxPromptLength.
    """
    rollouts = steps.total * recipe.settings.rollouts_per_step
    validation = len(steps.validations) * len(data.validation)
    answers = rollouts + validation
    invocations = _invocations(recipe, data, steps, answers)
    return JobCounts(
        steps=steps,
        rollouts=exact(rollouts),
        validation_answers=exact(validation),
        prompt_tokens=_prompt_tokens(recipe, data, steps),
        response_tokens=_response_tokens(recipe, answers, seen),
        lambda_invocations=invocations,
        gb_seconds=_gb_seconds(recipe, answers, seen, invocations),
        judge_calls=_judge_calls(recipe, answers, per_answer=judge_calls),
    )


def _judge_calls(recipe: Recipe, answers: int, *, per_answer: float | None) -> Quantity | None:
    if per_answer is not None:
        return stated(answers * per_answer)
    asks = asks_a_judge(recipe.reward_path)
    return None if asks is None else Quantity(answers * float(asks), None, None, "assumed")


def kept_prompts(recipe: Recipe, data: Data) -> list[int]:
    """Return the lengths of the prompts that the recipe's maxPromptLength lets through."""
    return [tokens for tokens in data.prompt_tokens if tokens <= recipe.settings.max_prompt_length]


def steps_of(recipe: Recipe, data: Data) -> Steps:
    """Return the calendar of the recipe's own settings.

    Raises:
        DataError: there are too few prompts for one step.
    """
    kept = len(kept_prompts(recipe, data))
    return plan.steps(kept, recipe.settings, validates=bool(data.validation))


def _prompt_tokens(recipe: Recipe, data: Data, steps: Steps) -> Quantity:
    settings, kept = recipe.settings, kept_prompts(recipe, data)
    used = steps.per_epoch * settings.batch_size
    if settings.shuffle or steps.total % steps.per_epoch:
        total = sum(kept) / len(kept) * steps.total * settings.batch_size
        basis = Quantity(total, None, None, "assumed")  # which prompts are left out is not known
    else:
        basis = exact(sum(kept[:used]) * (steps.total // steps.per_epoch))
    return basis.times(settings.samples_per_prompt)


def _response_tokens(recipe: Recipe, answers: int, seen: Measured | None) -> Quantity:
    limit = recipe.settings.inference_max_tokens
    if seen is None or seen.response_tokens is None:
        return at_most(limit).times(answers)
    found = seen.response_tokens
    # Answers cut at a lower limit go on here, at most to this one.
    longer = (seen.cut_share or 0.0) * max(0, limit - seen.limit)
    high = None if found.high is None else found.high + longer
    each = Quantity(found.value, found.low, high, "measured").at_most(limit)
    return each.times(answers)


def _invocations(recipe: Recipe, data: Data, steps: Steps, answers: int) -> Quantity:
    per_step = math.ceil(recipe.settings.rollouts_per_step / SAMPLES_PER_EVENT)
    per_validation = math.ceil(len(data.validation) / SAMPLES_PER_EVENT)
    fewest = per_step * steps.total + per_validation * len(steps.validations)
    return Quantity(fewest, fewest, answers, "assumed")


def _gb_seconds(
    recipe: Recipe, answers: int, seen: Measured | None, invocations: Quantity
) -> Quantity:
    function = recipe.local.lambda_
    gigabytes = function.memorySize / MB_PER_GB
    if seen is None or seen.grader_seconds is None:
        return at_most(function.timeout * gigabytes).times(answers)
    seconds = seen.grader_seconds.times(answers)
    return seconds.at_least(invocations.times(MILLISECOND)).times(gigabytes)
