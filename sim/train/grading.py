"""The grader that a recipe asks for, and one call of it before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sim.dataset import Row
from sim.grader import Grader, LambdaLimits
from sim.grader.gold import good_reply
from sim.recipe import Recipe
from sim.train.reward import to_sample

PREFLIGHT_ROWS = 8


def make_grader(recipe: Recipe, *, log: Path | None, profile: str | None = None) -> Grader:
    """Return the recipe's reward as a Lambda, not yet started."""
    local = recipe.local
    settings = local.lambda_
    return Grader(
        recipe.reward_path,
        handler=local.handler,
        limits=LambdaLimits(
            timeout_s=settings.timeout,
            memory_mb=settings.memorySize,
            containers=settings.containers,
            samples_per_event=settings.batchSize,
        ),
        profile=profile or local.payloadProfile,
        wrap_string_as_text=local.wrapStringAsText,
        log=log,
        function_arn=recipe.grader_arn,
        environment=settings.environment,
        pass_aws_credentials=settings.passAwsCredentials,
    )


def preflight(grader: Grader, rows: Sequence[Row]) -> str | None:
    """Grade a few reference answers, phrased as good replies; return a remark when all score 0.

    A handler that is missing, raises or answers nonsense fails here, in a second, instead of after
    the model was loaded.

    Raises:
        GraderError: the reward gave no usable grade.
    """
    replies = [(row, good_reply(row.reference_answer)) for row in rows[:PREFLIGHT_ROWS]]
    samples = [to_sample(row, reply or "", 0) for row, reply in replies]
    grades = grader.grade(samples).grades
    graded = [g for g, (_, reply) in zip(grades, replies, strict=True) if reply is not None]
    if graded and all(grade.score <= 0 for grade in graded):
        return (
            f"the reward gives {len(graded)} of {len(graded)} reference answers no credit; "
            "`rft check` shows how it reads them"
        )
    return None
