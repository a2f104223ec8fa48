"""The grader that a recipe asks for, not yet started."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.contract.limits import GRADER_RETRIES
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.records import LambdaLimits
from bedrock_rft_sim.recipe import Recipe

if TYPE_CHECKING:
    from bedrock_rft_sim.grader.audit.opener import OpenGrader


def grader_of(
    recipe: Recipe,
    profile: str | None = None,
    *,
    log: Path | None = None,
    retries: int = GRADER_RETRIES,
    wrap: bool | None = None,
    containers: int | None = None,
    samples_per_event: int | None = None,
) -> Grader:
    """Return the recipe's reward as a Lambda; None keeps what the recipe says."""
    local = recipe.local
    settings = local.lambda_
    return Grader(
        recipe.reward_path,
        handler=local.handler,
        limits=LambdaLimits(
            timeout_s=settings.timeout,
            memory_mb=settings.memorySize,
            containers=containers or settings.containers,
            samples_per_event=samples_per_event or settings.batchSize,
            retries=retries,
        ),
        profile=profile or local.payloadProfile,
        wrap_string_as_text=local.wrapStringAsText if wrap is None else wrap,
        log=log,
        function_arn=recipe.grader_arn,
        environment=settings.environment,
        pass_aws_credentials=settings.passAwsCredentials,
    )


def opener_of(recipe: Recipe) -> OpenGrader:
    """Return what opens the recipe's reward for an audit: without retries, which would hide."""
    return partial(grader_of, recipe, retries=0)
