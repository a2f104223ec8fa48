"""The grader that a recipe asks for, not yet started."""

from __future__ import annotations

from pathlib import Path

from sim.contract.limits import GRADER_RETRIES
from sim.grader.grader import Grader
from sim.grader.records import LambdaLimits
from sim.recipe import Recipe


def grader_of(
    recipe: Recipe,
    *,
    log: Path | None = None,
    profile: str | None = None,
    retries: int = GRADER_RETRIES,
) -> Grader:
    """Return the recipe's reward as a Lambda, under its own payload profile or another one."""
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
            retries=retries,
        ),
        profile=profile or local.payloadProfile,
        wrap_string_as_text=local.wrapStringAsText,
        log=log,
        function_arn=recipe.grader_arn,
        environment=settings.environment,
        pass_aws_credentials=settings.passAwsCredentials,
    )
