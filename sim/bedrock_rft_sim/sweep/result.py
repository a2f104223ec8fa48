"""What a sweep found, as data: settings, axes, ranking; and the best recipe as a file.

It holds no time and no count of attempts, so a sweep that was killed and went on gives the same
result as one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.diagnosis.sweep import diagnose_setting
from bedrock_rft_sim.recipe.wording import shown
from bedrock_rft_sim.sweep.axes import AxisFinding, find_axis, find_search_axis
from bedrock_rft_sim.sweep.confirmation import Confirmation
from bedrock_rft_sim.sweep.effects import Setting, between, over_seeds, rows_of
from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.plan import SweepPlan, described_changes
from bedrock_rft_sim.sweep.ranking import Ranking, rank

SCHEMA_VERSION: Final = 2
RESULT: Final = "sweep.json"
BEST: Final = "best.yaml"
WRITTEN: Final = "sweep.yaml"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep."""

    plan: SweepPlan
    out: Path
    rows: tuple[Setting, ...]
    """The settings, the centre first."""
    axes: tuple[AxisFinding, ...]
    ranking: Ranking | None
    """None where no run completed, or Bedrock would refuse every setting that did."""
    confirmation: Confirmation | None = None
    """None where the file gives no `confirm` seeds."""

    @property
    def words(self) -> list[str]:
        """How sure the best is, line by line, or why there is none."""
        if self.ranking is not None:
            ranked = list(self.ranking.words)
        elif any(row.values for row in self.rows):
            ranked = ["Bedrock would refuse every setting that completed, so none is the best."]
        else:
            ranked = ["No run completed, so nothing can be ranked."]
        if self.confirmation is not None:
            return [*ranked, *self.confirmation.words]
        if self.ranking is not None and not self.ranking.is_centre:
            ranked.append("Fresh seeds under confirm: in the sweep file would tell if that holds.")
        return ranked

    @property
    def outcomes(self) -> list[PointOutcome]:
        """Every run behind the ranking, setting by setting."""
        return [one for row in self.rows for one in row.outcomes]

    @property
    def failed(self) -> list[PointOutcome]:
        """The runs that failed, fresh seeds included; none of them counts as a number."""
        fresh = self.confirmation.outcomes if self.confirmation else []
        return [one for one in [*self.outcomes, *fresh] if one.status == "failed"]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        sweep = self.plan.sweep
        return {
            "schema_version": SCHEMA_VERSION,
            "recipe": str(sweep.recipe if isinstance(sweep.recipe, str) else sweep.recipe.name),
            "mode": sweep.mode,
            "metric": sweep.metric,
            "seeds": list(self.plan.seeds),
            "settings": [self._row(row) for row in self.rows],
            "axes": [axis.as_json() for axis in self.axes],
            "ranking": self.ranking.as_json() if self.ranking else None,
            "confirmation": self.confirmation.as_json() if self.confirmation else None,
            "best": BEST if self.ranking else None,
        }

    def _row(self, row: Setting) -> dict[str, Any]:
        centre = self.rows[0]
        mean, effect = over_seeds(row), between(row, centre) if row.changes else None
        found = diagnose_setting(row.outcomes)
        return {
            "setting": described_changes(row.changes),
            "changes": row.changes,
            "mean": mean and asdict(mean),
            "effect": effect and asdict(effect),
            "behaviour": found.rule,
            "says": found.says,
            "runs": [one.as_json() for one in row.outcomes],
            "refused_by_bedrock": list(row.refusals),
        }


def result_of(plan: SweepPlan, out: Path, outcomes: Sequence[PointOutcome]) -> SweepResult:
    """Make sense of the outcomes."""
    rows = [
        replace(row, refusals=tuple(map(str, plan.recipe(row.changes).refusals)))
        for row in rows_of(outcomes)
    ]
    base = {axis.path: plan.base_value(axis.path) for axis in plan.sweep.axes}
    find = find_search_axis if plan.sweep.mode == "search" else find_axis
    axes = tuple(find(axis, rows, base) for axis in plan.sweep.axes)
    return SweepResult(plan, out, tuple(rows), axes, rank(rows, seeds=len(plan.seeds)))


def write_result(result: SweepResult) -> list[Path]:
    """Write sweep.json, the sweep as written and, where a run completed, best.yaml.

    Raises:
        RunFolderError: the disk refuses.
    """
    text = files.dump(result.as_json(), indent=2) + "\n"
    contents = {result.out / RESULT: text, result.out / WRITTEN: result.plan.sweep.text}
    if result.ranking is not None:
        contents[result.out / BEST] = best_recipe(result, result.ranking)
    for path, content in contents.items():
        files.write_file(path, content, "write the result")
    return list(contents)


def best_recipe(result: SweepResult, ranking: Ranking) -> str:
    """Return the best setting as an ordinary recipe, with where it comes from in comments."""
    plan = result.plan
    text = plan.recipe_text(ranking.best.changes, folder=result.out)
    source = plan.sweep.recipe if isinstance(plan.sweep.recipe, str) else plan.sweep.recipe.name
    changed = [
        f"#   {path}: {shown(value)} (was {shown(plan.base_value(path))})"
        for path, value in ranking.best.changes.items()
    ]
    head = [
        f"# The best of {len(result.rows)} settings of {source}, by {plan.sweep.metric}.",
        f"# rft run {result.out / BEST}",
        f"# From the sweep {plan.sweep.path.name}, seeds {', '.join(map(str, plan.seeds))}:",
        *(changed or ["#   no change"]),
        *(f"#   {path}: {shown(value)} (in all of them)" for path, value in plan.sweep.set),
        *(f"# {line}" for line in result.words),
    ]
    return "\n".join([*head, text])
