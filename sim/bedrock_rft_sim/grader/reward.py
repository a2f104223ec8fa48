"""A reward with the settings of its Lambda function, not yet started: from a recipe, or by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded
from bedrock_rft_sim.grader.package import FORMS
from bedrock_rft_sim.grader.samples import LambdaLimits
from bedrock_rft_sim.recipe import Recipe, find_reward
from bedrock_rft_sim.recipe.shipped import is_shipped_reward, shipped_rewards

DEFAULT_ARN = "arn:aws:lambda:us-east-1:123456789012:function:reward"


@dataclass(frozen=True)
class RewardFile:
    """A .py file, a folder or a .zip, how its Lambda would be set, and how events reach it."""

    path: Path
    handler: str = "lambda_handler"
    limits: LambdaLimits = field(default_factory=LambdaLimits)
    profile: str = DEFAULT_PROFILE
    wrap: bool = False
    """Whether a plain string travels as {"text": ...}."""
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_aws_credentials: bool = False
    access: Mapping[str, str] | None = None
    """The variables of AWS's SDKs, where they are not this machine's."""
    function_arn: str = DEFAULT_ARN

    def once(
        self,
        profile: str | None = None,
        *,
        wrap: bool | None = None,
        containers: int | None = None,
        samples_per_event: int | None = None,
    ) -> RewardFile:
        """Return it without retries, which would hide failures; None keeps its own setting."""
        limits = replace(
            self.limits,
            retries=0,
            containers=containers or self.limits.containers,
            samples_per_event=samples_per_event or self.limits.samples_per_event,
        )
        wrapped = self.wrap if wrap is None else wrap
        return replace(self, limits=limits, profile=profile or self.profile, wrap=wrapped)


def reward_of(recipe: Recipe) -> RewardFile:
    """Return the reward that a recipe names, as its Lambda is configured there."""
    local, settings = recipe.local, recipe.local.lambda_
    return RewardFile(
        recipe.reward_path,
        handler=local.handler,
        limits=LambdaLimits(
            timeout_s=settings.timeout,
            memory_mb=settings.memorySize,
            containers=settings.containers,
            samples_per_event=settings.batchSize,
        ),
        profile=local.payloadProfile,
        wrap=local.wrapStringAsText,
        environment=settings.environment,
        pass_aws_credentials=settings.passAwsCredentials,
        function_arn=recipe.grader_arn,
    )


def in_place_of(own: RewardFile, reward: str, path: Path) -> RewardFile:
    """Return another reward, by the name it was given and its path, with `own`'s settings.

    It has the function of own's name, a shipped one the name that all of them have.
    """
    if path.resolve() == own.path.resolve():
        return replace(own, path=path)
    handler = RewardFile.handler if reward in shipped_rewards() else own.handler.split(".")[-1]
    return replace(own, path=path, handler=handler)


def reward_path(text: str) -> Path:
    """Return the file or folder of the reward that a person types: a shipped name, or a path.

    Raises:
        RecipeError: nothing of that name is shipped, or there is no such file.
    """
    if is_shipped_reward(text, base=Path()):
        return find_reward(text)
    path = expanded(text)
    if not path.exists():
        raise RecipeError("there is no such reward", expected=FORMS, found=text)
    return path


def path_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
