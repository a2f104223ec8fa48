"""When to end a run before its last step: validation has stopped gaining.

It keeps no state of its own: the rule is read off the metric lines that stand in the run folder, so
a resumed run decides as the unbroken one does. The model that is kept is the last one, as in the
`EarlyStopping` of AWS's recipes; which step was best is said, not restored.

Sources: AWS Machine Learning Blog, RFT best practices (early stopping, on by default, no API
field); aws/sagemaker-hyperpod-recipes, `early_stopping {enable, min_delta, patience}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.recipe.local import EarlyStopping

WATCHED = "validation_rewards_mean"


@dataclass(frozen=True)
class EarlyStop:
    """Why a run ended before its last step."""

    step: int
    """The last step trained."""
    best_step: int
    best_validation_reward: float
    reason: str


def watched(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what `early_stop` reads of metric lines: enough to keep for a long run."""
    return [{name: line[name] for name in ("step", WATCHED)} for line in lines if WATCHED in line]


def early_stop(lines: Iterable[Mapping[str, Any]], rule: EarlyStopping | None) -> EarlyStop | None:
    """Return why the run should end after the last of these metric lines; None to go on."""
    if rule is None:
        return None
    best: tuple[int, float] | None = None
    without_gain, step = 0, 0
    for line in lines:
        reward = line.get(WATCHED)
        if reward is None:
            continue
        step = line["step"]
        if best is None or reward > best[1] + rule.minGain:
            best, without_gain = (step, reward), 0
        else:
            without_gain += 1
        if without_gain >= rule.patience:
            return EarlyStop(step, *best, reason=_reason(rule, step, best))
    return None


def _reason(rule: EarlyStopping, step: int, best: tuple[int, float]) -> str:
    validations = "validation" if rule.patience == 1 else f"{rule.patience} validations in a row"
    return (
        f"early stopping after step {step}: {validations} gained no more than {rule.minGain:g} on "
        f"the best validation reward, {best[1]:.4f} after step {best[0]}"
    )


def demand_validation(recipe: Recipe, *, validates: bool) -> None:
    """Refuse early stopping where there is nothing to watch.

    Raises:
        RecipeError: the recipe sets it and no prompt is left to validate on.
    """
    if recipe.local.earlyStopping is not None and not validates:
        raise RecipeError(
            "early stopping has no validation reward to watch",
            where=recipe.where("local.earlyStopping"),
            expected="validation data",
            found="none",
            hint="give local.validationData, or leave local.earlyStopping out",
        )
