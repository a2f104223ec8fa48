"""What a Python program or a notebook uses of the simulator, beyond one room's function.

`bedrock_rft_sim` itself offers it, together with `load_recipe` and `check`.
In a notebook a run shows itself as a table and the console's curves, a comparison as the verdict, a
table and the curves of both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bedrock_rft_sim.compare import compare
from bedrock_rft_sim.compare.axis import Axis
from bedrock_rft_sim.compare.series import Curves, read_curves
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.report import PageDuringRun, ShownRun
from bedrock_rft_sim.report.overlay import Overlay
from bedrock_rft_sim.runs import or_under_runs
from bedrock_rft_sim.train import run

Run = ShownRun


def rehearse(
    recipe: Recipe,
    *,
    parent: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
) -> run.RunResult:
    """Run the recipe into the folder `parent/name`, as `rft run` does; return how it ended.

    The name is that of the recipe's job unless given. With `resume` a run that was killed or
    stopped goes on from its last checkpoint. `say` gets what goes on, in words; without it the run
    is quiet. `Run.open(result.folder)` reads what it left.

    Raises:
        RehearsalError: the recipe can't be run; the run folder, once it exists, records why.
    """
    return run.rehearse(
        recipe, parent=parent, name=name, resume=resume, say=say, observers=[PageDuringRun]
    )


def compare_runs(
    a: str | Path | Sequence[str | Path],
    b: str | Path | Sequence[str | Path],
    *,
    axis: Axis | None = None,
    top: float | None = None,
    labels: tuple[str, str] | None = None,
) -> Overlay:
    """Compare the curves of runs or jobs with those of others, as `rft compare a --with b` does.

    Each side names run folders or runs under runs/ that differ in their seed only, or files with a
    job's metrics, or one of them. `axis` is "prompts" seen or "share" of the run; `top` is the
    greatest possible reward (1 unless given); `labels` are what the sides are called. What comes
    back has the `verdict`, its `words`, the numbers (`comparison`), `as_json()` with the curves'
    values, and `picture("pdf")`.

    Raises:
        DataError: a file can't be read, or the two sides have no metric in common.
    """
    one, other = _curves(a), _curves(b)
    own = [", ".join(each.name for each in side) for side in (one, other)]
    label_a, label_b = labels or own
    return Overlay(compare(one, other, axis=axis, top=top), one, other, label_a, label_b)


def _curves(paths: str | Path | Sequence[str | Path]) -> list[Curves]:
    paths = [paths] if isinstance(paths, str | Path) else paths
    return [curves for path in paths for curves in read_curves(or_under_runs(path))]
