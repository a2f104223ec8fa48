"""How the audit opens the reward again: other profiles, more containers, larger events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bedrock_rft_sim.grader.grader import DEFAULT_ARN, Grader
from bedrock_rft_sim.grader.records import LambdaLimits


class OpenGrader(Protocol):
    """Opens one reward under a payload profile, without retries; None keeps its own setting."""

    def __call__(
        self,
        profile: str,
        *,
        wrap: bool | None = None,
        containers: int | None = None,
        samples_per_event: int | None = None,
    ) -> Grader:
        """Return an open grader; the caller closes it."""


@dataclass(frozen=True)
class RewardFile:
    """A reward without a recipe: a .py file, a folder or a .zip, and how its Lambda would be set.

    Is itself an `OpenGrader`.
    """

    path: Path
    handler: str = "lambda_handler"
    limits: LambdaLimits = field(default_factory=LambdaLimits)
    wrap: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_aws_credentials: bool = False
    function_arn: str = DEFAULT_ARN

    def __call__(
        self,
        profile: str,
        *,
        wrap: bool | None = None,
        containers: int | None = None,
        samples_per_event: int | None = None,
    ) -> Grader:
        """Return an open grader; the caller closes it."""
        limits = replace(
            self.limits,
            retries=0,
            containers=containers or self.limits.containers,
            samples_per_event=samples_per_event or self.limits.samples_per_event,
        )
        return Grader(
            self.path,
            handler=self.handler,
            limits=limits,
            profile=profile,
            wrap_string_as_text=self.wrap if wrap is None else wrap,
            function_arn=self.function_arn,
            environment=self.environment,
            pass_aws_credentials=self.pass_aws_credentials,
        )
