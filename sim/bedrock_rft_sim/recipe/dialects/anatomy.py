"""What both dialects offer, so that the recipe and the endpoint need not know which one it is.

Deliberately only a description: each dialect is a module of plain functions.
Sources: none of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

from bedrock_rft_sim.contract.defaults import Default, Provenance
from bedrock_rft_sim.recipe.dialects.finding import Finding

DialectName = Literal["bedrock", "openai"]
RecordShape = Literal["nova", "open-weight"]
Request = Mapping[str, Any]
Translated = dict[str, tuple[Any, Provenance]]


class Dialect(Protocol):
    """One way to ask Bedrock for a reinforcement fine-tuning job."""

    @property
    def NAME(self) -> DialectName:  # noqa: N802
        """How recipes and reports call it."""

    @property
    def KEYS(self) -> frozenset[str]:  # noqa: N802
        """The top-level keys of its request."""

    @property
    def DEFAULTS(self) -> dict[str, Default]:  # noqa: N802
        """The hyperparameters when nothing is said, by inner name."""

    @property
    def RECORD_SHAPE(self) -> RecordShape:  # noqa: N802
        """Which of the two published record shapes its graders expect."""

    def check(self, request: Request) -> Iterable[Finding]:
        """Find everything that Bedrock would refuse."""

    def hyperparameters(self, request: Request) -> dict[str, Any]:
        """Take the hyperparameters out of a checked request, under their own names."""

    def translate(self, stated: Mapping[str, Any], overrides: Mapping[str, Any]) -> Translated:
        """Turn hyperparameters into inner names, overrides winning."""

    def job_name(self, request: Request) -> str | None:
        """Take the job's name out, where the dialect has one."""

    def model_id(self, request: Request) -> str:
        """Take the base model out."""

    def grader_arn(self, request: Request) -> str:
        """Take the reward function's ARN out."""

    def names_validation(self, request: Request) -> bool:
        """Whether the request names a validation file."""
