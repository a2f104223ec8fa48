"""Everything that can be known about a recipe before a step is trained.

Not here: a model. Only its tokenizer is read, to count prompt tokens.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sim import plan
from sim.contract import ledger
from sim.contract.ledger_row import LedgerRow
from sim.dataset import Inspection, Row, count_findings
from sim.grader.gold import ProfileResult, check_reward
from sim.grader.of_recipe import grader_of
from sim.plan import Data, Steps
from sim.recipe import Recipe
from sim.tokens import load_tokenizer


@dataclass(frozen=True)
class PromptTokens:
    """How long the prompts are, in tokens of the local model."""

    shortest: int
    median: float
    p99: int
    longest: int
    limit: int
    dropped: int


@dataclass(frozen=True)
class Check:
    """What `rft check` found out."""

    recipe: Recipe
    data: Data
    steps: Steps
    prompt_tokens: PromptTokens
    profiles: tuple[ProfileResult, ...]
    remarks: tuple[str, ...]
    """What Bedrock would say of the data, although it can be rehearsed."""
    ledger: tuple[LedgerRow, ...]

    @property
    def reward_ok(self) -> bool:
        """Whether every reference answer earns the top score under the run's own profile."""
        own = self.recipe.local.payloadProfile
        return all(result.ok for result in self.profiles if result.profile == own)

    @property
    def ok(self) -> bool:
        """Whether the request could be sent and the reward does what is expected of it."""
        return self.reward_ok and not self.recipe.refusals

    def as_json(self) -> dict[str, Any]:
        """Return the check as JSON-ready data."""
        return {
            "ok": self.ok,
            "recipe": self.recipe.resolved(),
            "data": {
                "records": self.data.records,
                "train_prompts": len(self.data.train),
                "validation_prompts": len(self.data.validation),
                "prompt_tokens": asdict(self.prompt_tokens),
                "remarks": list(self.remarks),
            },
            "steps": asdict(self.steps),
            "reward": [asdict(result) | {"ok": result.ok} for result in self.profiles],
            "ledger": [asdict(row) for row in self.ledger],
        }


def check(recipe: Recipe) -> Check:
    """Read the recipe's data, count its steps and grade its reference answers.

    Raises:
        RehearsalError: the data or the reward can't be used at all.
    """
    tokenizer = load_tokenizer(recipe.model)
    data = plan.read_data(recipe, tokenizer)
    return Check(
        recipe=recipe,
        data=data,
        steps=plan.steps(len(data.train), recipe.settings, validates=bool(data.validation)),
        prompt_tokens=_prompt_tokens(recipe, data),
        profiles=check_reward(
            lambda profile: grader_of(recipe, profile=profile, retries=0), data.train
        ),
        remarks=_remarks(recipe),
        ledger=ledger.rows_for(recipe.dialect),
    )


def _prompt_tokens(recipe: Recipe, data: Data) -> PromptTokens:
    counts = sorted(data.prompt_tokens)
    return PromptTokens(
        shortest=counts[0],
        median=statistics.median(counts),
        p99=counts[max(0, -(-99 * len(counts) // 100) - 1)],
        longest=counts[-1],
        limit=recipe.settings.max_prompt_length,
        dropped=len(data.too_long),
    )


def _remarks(recipe: Recipe) -> tuple[str, ...]:
    """Return what a document or a validator minds in data that the rehearsal can use."""
    inspections = _inspections(recipe)
    found = [finding for each in inspections for finding in each.findings()]
    told = (*found, *count_findings(inspections))
    return tuple(str(finding) for finding in told if finding.rule.severity != "note")


def _inspections(recipe: Recipe) -> tuple[Inspection, ...]:
    """Hold the recipe's data against the rules that `rft data check` knows."""
    training = Inspection("local.trainingData")
    if isinstance(recipe.training_source, Path):
        training.inspect(recipe.training_source)
    else:
        for row in plan.source_rows(recipe, "train"):
            training.see(row.line, _record(row))
    if not isinstance(recipe.validation_source, Path):
        return (training,)
    validation = Inspection("local.validationData", part="validation")
    validation.inspect(recipe.validation_source)
    return training, validation


def _record(row: Row) -> dict[str, Any]:
    reference = {} if row.reference_answer is None else {"reference_answer": row.reference_answer}
    return {"id": row.id, "messages": list(row.messages), **reference, **row.extra}
