"""Everything that can be known about a recipe before a step is trained.

Not here: a model. Only its tokenizer is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bedrock_rft_sim.contract import ledger
from bedrock_rft_sim.contract.ledger import LedgerRow
from bedrock_rft_sim.data import Inspection, count_findings, plan
from bedrock_rft_sim.data.inspection import RuleFinding
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.prepare.lengths import LengthSummary, spread
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.diagnosis.finding import Finding, fired
from bedrock_rft_sim.diagnosis.model import diagnose_model, lora_odds
from bedrock_rft_sim.diagnosis.recipe import diagnose_recipe, point_as_json
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.errors import demand
from bedrock_rft_sim.estimate import JobEstimate, estimate, read_measured
from bedrock_rft_sim.grader.audit import AuditReport, AuditSettings, AuditWorkload, audit
from bedrock_rft_sim.grader.good_replies import ProfileResult, check_reward
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.recipe import Recipe, recipe_of
from bedrock_rft_sim.recipe.extras import demand_extras
from bedrock_rft_sim.recipe.shown import shown_table
from bedrock_rft_sim.recipe.trackers import demand_trackers
from bedrock_rft_sim.runs import or_under_runs

PAID_ROWS = 8


@dataclass(frozen=True)
class RewardAudit:
    """How `rft check` audits the reward; `settings` None leaves the size to the recipe."""

    settings: AuditSettings | None = None
    waivers: Mapping[str, str] = field(default_factory=dict)
    """Reasons by check name."""
    progress: Callable[[str], None] | None = None


@dataclass(frozen=True)
class PromptTokens(LengthSummary):
    """How long the prompts are, in tokens of the local model."""

    limit: int
    dropped: int


@dataclass(frozen=True)
class RecipeCheck:
    """What `rft check` found out."""

    recipe: Recipe
    data: Data
    steps: Steps
    prompt_tokens: PromptTokens
    profiles: tuple[ProfileResult, ...]
    audit: AuditReport | None
    """None where no audit was run."""
    data_findings: tuple[RuleFinding, ...]
    """Which rules the data break, although it can be rehearsed; an error is Bedrock's refusal."""
    model: tuple[Finding, ...]
    """Whether the model fits the recipe, by its tokenizer and template."""
    guidance: tuple[Finding, ...]
    """How the recipe compares with the published starting points."""
    estimate: JobEstimate
    ledger: tuple[LedgerRow, ...]

    def __repr__(self) -> str:
        """Say what was checked, and whether it is ready."""
        return f"<RecipeCheck {self.words}>"

    @property
    def words(self) -> str:
        """The recipe's name and whether it is ready."""
        ready = "ready" if self.ok else f"not ready ({', '.join(self._troubles())})"
        return f"{self.recipe.name}: {ready}, {self.steps.total:,} steps"

    def _troubles(self) -> Iterator[str]:
        parts = {"data": self.data_ok, "model": self.model_ok, "reward": self.reward_ok}
        yield from (name for name, is_ok in parts.items() if not is_ok)
        if self.recipe.refusals:
            yield "Bedrock would refuse the request"

    def _repr_html_(self) -> str:
        """Return what was found, for a notebook."""
        dropped = f", {self.prompt_tokens.dropped:,} too long" if self.prompt_tokens.dropped else ""
        rows = [
            ("data", f"{len(self.data.train):,} training prompts{dropped}, "
                     f"{len(self.data.validation):,} for validation"),
            *[(f"reward, {each.variant}", f"{each.passed:,} of {each.graded:,} good replies score")
              for each in self.profiles],
            *[("refused by Bedrock", refusal) for refusal in self.recipe.refusals],
            *[("data", str(each)) for each in self.data_findings],
            *[("audit", f"{each.severity}: {each.check}: {each.what}")
              for each in (self.audit.findings if self.audit else ())],
            *[("model", f"{each.severity}: {each.words}") for each in fired(self.model)],
        ]  # fmt: skip
        return shown_table(self.words, rows)

    @property
    def reward_ok(self) -> bool:
        """Whether no error of the audit stands; without one, whether good replies score."""
        if self.audit is not None:
            return self.audit.ok
        own = self.recipe.local.payloadProfile
        return all(result.ok for result in self.profiles if result.profile == own)

    @property
    def model_ok(self) -> bool:
        """Whether the model fits the recipe."""
        return not any(finding.severity == "problem" for finding in self.model)

    @property
    def mostly_dropped(self) -> bool:
        """Whether more than half of the training prompts are too long."""
        return plan.mostly_dropped(self.data.dropped, len(self.data.prompt_tokens))

    @property
    def data_errors(self) -> tuple[RuleFinding, ...]:
        """The rules whose violation Bedrock refuses."""
        return tuple(each for each in self.data_findings if each.rule.severity == "error")

    @property
    def data_ok(self) -> bool:
        """Whether Bedrock would take the data and train on at least half of the prompts."""
        return not self.mostly_dropped and not self.data_errors

    @property
    def ok(self) -> bool:
        """Whether the request could be sent, and data, model and reward do what is expected."""
        fits = self.reward_ok and self.model_ok and self.data_ok
        return fits and not self.recipe.refusals

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
                "findings": [finding.as_json() for finding in self.data_findings],
            },
            "steps": asdict(self.steps),
            "reward": [asdict(result) | {"ok": result.ok} for result in self.profiles],
            "audit": None if self.audit is None else self.audit.as_json(),
            "model": [finding.as_json() for finding in self.model],
            "guidance": [point_as_json(finding) for finding in self.guidance],
            "estimate": self.estimate.as_json(),
            "ledger": [asdict(row) for row in self.ledger],
        }


def check(
    recipe: str | Path | Recipe,
    *,
    reward_audit: RewardAudit | None = None,
    replies: Mapping[str, str] | None = None,
    measured: str | Path | None = None,
) -> RecipeCheck:
    """Read the recipe's data, count its steps and audit its reward, or only grade good replies.

    The recipe is given by its name or path, or as `load_recipe` returned it. `replies` are good
    replies by row id, where the references' own phrasing is not what the reward reads; `measured`
    is a run folder or the result of a probe, for the estimate and the advice.

    Raises:
        RehearsalError: the data or the reward can't be used at all.
        ArgumentError: an argument is of the wrong type.
    """
    recipe = recipe_of(recipe)
    nothing = type(None)
    demand("reward_audit", reward_audit, RewardAudit, nothing, expected="a RewardAudit, or None")
    demand("replies", replies, Mapping, nothing, expected="good replies by row id, or None")
    demand("measured", measured, str, Path, nothing, expected="a path or a run's name, or None")
    demand_trackers(recipe)
    demand_extras(recipe)
    if recipe.local.dtype == "float16":  # the one format that a device may not have; torch is slow
        choose_device(recipe.local.device, recipe.local.dtype)
    tokenizer = load_tokenizer(recipe.model)
    data = plan.read_data(recipe, tokenizer)
    steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
    seen = None if measured is None else read_measured(or_under_runs(measured), lengths=True)
    report = None if reward_audit is None else _audit(recipe, data, steps, reward_audit, replies)
    if report is None:
        reward = reward_of(recipe)
        profiles = check_reward(reward, data.train, top_score=None, replies=replies)
    else:
        profiles = report.profiles
    return RecipeCheck(
        recipe=recipe,
        data=data,
        steps=steps,
        prompt_tokens=_prompt_tokens(recipe, data),
        profiles=profiles,
        audit=report,
        data_findings=_data_findings(recipe),
        model=diagnose_model(recipe, data.train, tokenizer, replies),
        guidance=diagnose_recipe(recipe, data, seen),
        estimate=estimate(recipe, data, steps, seen),
        ledger=ledger.rows_here(recipe.dialect, recipe.resolved()["settings"], lora_odds(recipe)),
    )


def _audit(
    recipe: Recipe, data: Data, steps: Steps, wanted: RewardAudit, replies: Mapping[str, str] | None
) -> AuditReport:
    return audit(
        reward_of(recipe),
        data.train,
        settings=wanted.settings or _settings(recipe),
        replies=replies,
        waivers=wanted.waivers,
        workload=AuditWorkload(
            rollouts_per_step=recipe.settings.rollouts_per_step,
            steps=steps.total,
            validation_answers=len(steps.validations) * len(data.validation),
            inference_max_tokens=recipe.settings.inference_max_tokens,
        ),
        progress=wanted.progress,
    )


def _settings(recipe: Recipe) -> AuditSettings:
    """Few rows where the handler gets credentials, since each answer may then cost a model call."""
    rows = PAID_ROWS if recipe.local.lambda_.passAwsCredentials else None
    return AuditSettings(seed=recipe.local.seed, rows=rows)


def _prompt_tokens(recipe: Recipe, data: Data) -> PromptTokens:
    found = spread(data.prompt_tokens)
    assert found is not None, "read_data refuses a source without prompts"
    limit = recipe.settings.max_prompt_length
    return PromptTokens(**asdict(found), limit=limit, dropped=len(data.too_long))


def _data_findings(recipe: Recipe) -> tuple[RuleFinding, ...]:
    """Return what a document or a validator minds in data that the rehearsal can use."""
    training = Inspection("local.trainingData")
    if isinstance(recipe.training_source, Path):
        training.inspect(recipe.training_source)
    else:
        for row in plan.source_rows(recipe, "train"):
            training.check(row.line, row.as_record())
    inspections = [training]
    if isinstance(recipe.validation_source, Path):
        inspections.append(Inspection("local.validationData", part="validation"))
        inspections[-1].inspect(recipe.validation_source)
    found = [finding for each in inspections for finding in each.findings()]
    everything = (*found, *count_findings(inspections))
    return tuple(finding for finding in everything if finding.rule.severity != "note")
