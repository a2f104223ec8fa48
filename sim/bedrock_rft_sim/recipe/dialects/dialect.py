"""What both dialects offer, and what they say of a value that Bedrock would refuse.

Deliberately only a description: each dialect is a module of plain functions, and neither knows
files or lines: the recipe adds where a value stands.
Sources: the form of botocore's parameter validation messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from bedrock_rft_sim.contract.knobs import HYPERPARAMETERS_PATH, DialectName, Provenance
from bedrock_rft_sim.recipe.wording import Keys, Plain

RecordShape = Literal["nova", "open-weight"]
Request = Mapping[str, Any]
SMALLER: Final = "smaller values go under local.overrides"
Translated = dict[str, tuple[Any, Provenance]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One value that Bedrock would refuse; `rehearsable` if a laptop can train with it anyway."""

    path: str
    """Dotted, list positions as numbers."""
    value: Plain
    rule: str
    """What is expected instead."""
    source: str
    """Who says so."""
    problem: str
    rehearsable: bool = True
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.path}, value: {self.value!r}, expected: {self.rule} ({self.source})"

    @property
    def remedy(self) -> str | None:
        """The next step where the value is too small for Bedrock only; None elsewhere."""
        is_hyperparameter = self.path.startswith(tuple(HYPERPARAMETERS_PATH.values()))
        is_too_small = self.rehearsable and self.problem == "too small"
        return SMALLER if is_hyperparameter and is_too_small else None

    @property
    def keys(self) -> Keys:
        """The path in pieces."""
        return tuple(int(key) if key.isdecimal() else key for key in self.path.split("."))


class Dialect(Protocol):
    """One way to ask Bedrock for a reinforcement fine-tuning job."""

    @property
    def NAME(self) -> DialectName:  # noqa: N802
        """How recipes and reports call it."""

    @property
    def KEYS(self) -> frozenset[str]:  # noqa: N802
        """The top-level keys of its request."""

    @property
    def RECORD_SHAPE(self) -> RecordShape:  # noqa: N802
        """Which of the two published record shapes its graders expect."""

    def check(self, request: Request) -> Iterable[Refusal]:
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
