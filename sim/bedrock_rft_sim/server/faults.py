"""Faults on purpose, to see whether a client's retries and waits are right.

One YAML, for example:

    roleDelay: 10                 # seconds until a new role can be assumed, as IAM takes on AWS
    faults:
      - {operation: bedrock.CreateModelCustomizationJob, calls: [1], fault: timeout}
      - {operation: lambda.Invoke, calls: [2, 3], fault: throttled}
      - {operation: POST /v1/fine_tuning/jobs, calls: [1], fault: error}
      - {operation: s3.PutObject, fault: slow, seconds: 3}

`throttled` and `error` (a 500) refuse the call; `slow` waits first; `timeout` does what was asked
and then says nothing for `seconds`, or for as long as the client waits.
Calls are counted for each rule from the start of the server; the first rule that is due decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bedrock_rft_sim.recipe.load import read_text
from bedrock_rft_sim.recipe.local import Section
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.server.mapping import checked_section

Fault = Literal["throttled", "error", "timeout", "slow"]


class FaultRule(Section):
    """When one operation fails, and how."""

    operation: str = Field(min_length=1)
    """`service.Operation` of AWS's, or method and path of bedrock-mantle's."""
    fault: Fault
    """How it fails."""
    calls: list[Annotated[int, Field(ge=1)]] | None = None
    """Which calls, counted from 1; null for all."""
    seconds: float | None = Field(default=None, ge=0)
    """How long it takes; null is one second for `slow`, for ever for `timeout`."""

    @model_validator(mode="after")
    def _seconds_are_for_waits(self) -> Self:
        if self.seconds is not None and self.fault not in ("slow", "timeout"):
            raise ValueError(f"seconds have no meaning where the fault is {self.fault}")
        return self


class FaultPlan(Section):
    """What goes wrong on purpose."""

    roleDelay: float = Field(default=0.0, ge=0)
    """Seconds until a new role can be assumed."""
    faults: list[FaultRule] = Field(default_factory=list)
    """In the order in which they are tried."""


def read_faults(path: Path) -> FaultPlan:
    """Read the YAML.

    Raises:
        RecipeError: it can't be read or says something unknown.
    """
    text = read_text(path, "faults")
    document = read_document(text, name=str(path))
    return checked_section(FaultPlan, document.data or {}, (), document=document, path=path)
