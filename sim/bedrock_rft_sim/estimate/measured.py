"""What a probe or a run has measured: lengths, mixed groups, times and memory of a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedrock_rft_sim import files
from bedrock_rft_sim.contract.statuses import COMPLETED
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.estimate.quantity import Quantity, mean_over_units
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import Run, RunFolder, is_run
from bedrock_rft_sim.stats.shares import percentile

COMPARED = (
    "batch_size", "samples_per_prompt", "max_prompt_length", "inference_max_tokens", "training",
    "lora_rank", "kl_coefficient",
)  # fmt: skip
"""Settings that the memory and the time of a run depend on."""


@dataclass(frozen=True)
class Measured:
    """Measurements; None for what the source does not hold."""

    source: str
    """Which probe or run, in words."""
    model: str
    limit: int
    """inferenceMaxTokens while it was measured."""
    response_tokens: Quantity | None
    """Mean tokens of an answer."""
    cut_share: float | None
    """Share of answers cut at the limit; above 0 the mean is a lower bound."""
    answer_tokens_p99: float | None = None
    """99th percentile of the answers' tokens; of a run only where `lengths` were to be read."""
    mixed_groups: Mapping[int, float] = field(default_factory=dict)
    """Share of mixed groups, by samples per prompt."""
    validation: tuple[tuple[int, float], ...] = ()
    """Steps and validation rewards of a run, in order."""
    grader_seconds: Quantity | None = None
    """That Lambda would bill, per answer."""
    sampling_seconds: float | None = None
    """Per answer, of a probe of the local model."""
    step_seconds: Quantity | None = None
    """Of a training step on this machine, validation left out."""
    validation_seconds: Quantity | None = None
    """Of one validation on this machine."""
    validation_prompts: int | None = None
    """Of that validation."""
    steps: int | None = None
    """Training steps of the run."""
    rollouts_per_step: int | None = None
    peak_memory_mb: float | None = None
    total_seconds: float | None = None
    """Of all recorded steps."""
    settings: Mapping[str, Any] | None = None
    """What `COMPARED` were in the run."""

    def is_of_model(self, recipe: Recipe) -> bool:
        """Whether this very model was measured, so that times and memory say something."""
        return self.model in (recipe.model, recipe.local.model)

    def has_settings_of(self, recipe: Recipe) -> bool:
        """Whether memory and time are those of the recipe's own model and settings."""
        own = {name: getattr(recipe.settings, name) for name in COMPARED}
        return self.is_of_model(recipe) and self.settings == own


def read_measured(path: Path, *, lengths: bool = False) -> Measured:
    """Read a run folder or the result of a probe; with `lengths` also how long each answer was.

    Raises:
        DataError: it is neither.
        RunFolderError: it can't be read.
    """
    return _of_run(path, lengths=lengths) if path.is_dir() else _of_probe(path)


def _of_probe(path: Path) -> Measured:
    record = files.read_json(path)
    try:
        lengths, seconds = record["lengths"], record["grader_seconds"]
        mixed = record["mixed_groups"].items()
        return Measured(
            source=f"probe {path.name} of {record['model']}",
            model=record["model"],
            limit=record["max_tokens"],
            response_tokens=_mean(lengths["mean"]) if lengths else None,
            cut_share=lengths["cut"]["value"] if lengths else None,
            answer_tokens_p99=lengths["percentiles"]["99"]["value"] if lengths else None,
            mixed_groups={int(size): share["value"] for size, share in mixed if share is not None},
            grader_seconds=_mean(seconds) if seconds else None,
            sampling_seconds=_sampling_seconds(record) if record["is_local"] else None,
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            "nothing was measured here",
            where=str(path),
            expected="a run folder, or the .json that rft probe wrote",
            found="another file",
        ) from error


def _mean(record: Mapping[str, Any]) -> Quantity:
    return Quantity(record["value"], record["low"], record["high"], "measured")


def _sampling_seconds(record: Mapping[str, Any]) -> float | None:
    sampling = record.get("sampling")  # a probe of an earlier version has none
    return None if sampling is None else float(sampling["seconds"] / sampling["answers"])


def _of_run(path: Path, *, lengths: bool) -> Measured:
    run = Run.open(path)
    if not run.trained or not run.resolved:
        raise DataError(
            "the run has no training step yet", where=str(path), expected="at least one step"
        )
    _demand_numbers(run)
    steps, mixed = run.step_seconds(), run.mean("local_groups_mixed")
    return Measured(
        source=f"run {run.folder.name}, {len(run.trained)} steps",
        model=run.local("model"),
        limit=run.setting("inference_max_tokens"),
        response_tokens=mean_over_units(
            [line["response_length_mean"] for line in run.trained if _has_length(line)]
        ),
        cut_share=run.mean("local_truncated_share"),
        answer_tokens_p99=_answer_tokens_p99(run) if lengths else None,
        mixed_groups={} if mixed is None else {run.setting("samples_per_prompt"): mixed},
        validation=tuple(
            (line["step"], line["validation_rewards_mean"])
            for line in run.lines
            if line.get("validation_rewards_mean") is not None
        ),
        grader_seconds=_grader_seconds(run),
        step_seconds=mean_over_units(steps[1:] or steps),  # the first step also warms up
        validation_seconds=mean_over_units(run.seconds("validate")),
        validation_prompts=_validation_prompts(run) or None,
        steps=len(run.trained),
        rollouts_per_step=run.trained[-1].get("local_rollouts"),
        peak_memory_mb=run.peak_memory_mb(),
        total_seconds=sum(run.seconds("total")),
        settings={name: run.setting(name) for name in COMPARED},
    )


def _has_length(line: Mapping[str, Any]) -> bool:
    return line.get("response_length_mean") is not None


def _demand_numbers(run: Run) -> None:
    """Refuse a run whose recipe lacks what measurements are divided by."""
    numbers = {
        "inference_max_tokens": run.setting("inference_max_tokens"),
        "samples_per_prompt": run.setting("samples_per_prompt"),
        "lambda.batchSize": run.local("lambda.batchSize"),
    }
    odd = {name: each for name, each in numbers.items() if type(each) is not int or each < 1}
    if odd or not isinstance(run.local("model"), str):
        raise DataError(
            "the run's recipe is damaged",
            where=str(run.folder.resolved),
            expected="the model's name, and whole numbers from 1",
            found=", ".join(f"{name} {each!r}" for name, each in odd.items()) or "no model",
        )


def _answer_tokens_p99(run: Run) -> int | None:
    tokens = [len(rollout.tokens) for _, rollouts in run.rollouts() for rollout in rollouts]
    return percentile(tokens, 0.99) if tokens else None


def _grader_seconds(run: Run) -> Quantity | None:
    """Return the billed seconds per answer: those of a mean invocation, spread over its answers.

    The log can hold more invocations than the steps had (the check before the run, retries, steps
    that a resume repeated), so it gives the mean and the recorded answers the number.
    """
    mean = mean_over_units(run.billed_seconds())
    sizes = [line.get("local_rollouts") or 0 for line in run.trained]
    sizes += [_validation_prompts(run)] * len(run.folder.validation_steps())
    if mean is None or not sum(sizes):
        return None
    events = sum(math.ceil(size / run.local("lambda.batchSize")) for size in sizes)
    return mean.times(events / sum(sizes))


def _validation_prompts(run: Run) -> int:
    steps = run.folder.validation_steps()
    return len(run.folder.read_validation(steps[0])) if steps else 0


def finished_run(recipe: Recipe, runs: Path) -> Path | None:
    """Return the newest finished run of the recipe's model, to be suggested to the user."""
    if not runs.is_dir():
        return None
    found = [path for path in runs.iterdir() if is_run(path) and not path.is_symlink()]
    oldest_first = sorted(found, key=lambda path: RunFolder(path).record.stat().st_mtime)
    return next((path for path in reversed(oldest_first) if _is_finished(path, recipe)), None)


def _is_finished(path: Path, recipe: Recipe) -> bool:
    try:
        run = Run.open(path)
    except RunFolderError:
        return False  # damaged, or of another version: nothing to recommend
    return run.status == COMPLETED and run.local("model") == recipe.local.model
