"""What a Python program or a notebook uses of the simulator, beyond one room's function.

`bedrock_rft_sim` itself offers it, together with `load_recipe` and `check`.
In a notebook a run shows itself as a table and the console's curves, a comparison as the verdict, a
table and the curves of both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bedrock_rft_sim.compare import compare
from bedrock_rft_sim.compare.axis import LABELS, Axis
from bedrock_rft_sim.compare.series import Curves, read_curves
from bedrock_rft_sim.errors import ArgumentError, demand, demand_one_of
from bedrock_rft_sim.recipe import Recipe, recipe_of
from bedrock_rft_sim.report import PageDuringRun, ShownRun
from bedrock_rft_sim.report.overlay import Overlay
from bedrock_rft_sim.runs import or_under_runs
from bedrock_rft_sim.train import run

Run = ShownRun


def rehearse(
    recipe: str | Path | Recipe,
    *,
    parent: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
) -> run.RunResult:
    """Run the recipe into the folder `parent/name`, as `rft run` does; return how it ended.

    The recipe is given by its name or path, or as `load_recipe` returned it. `name` is that of the
    recipe's job unless given. With `resume` a run that was killed or stopped goes on from its last
    checkpoint. `say` gets what goes on, in words; without it the run is quiet.
    `Run.open(result.folder)` reads what it left.

    Raises:
        RehearsalError: the recipe can't be run; the run folder, once it exists, records why.
        ArgumentError: an argument is of the wrong type.
    """
    nothing = type(None)
    demand("parent", parent, str, Path, expected="the folder of the runs")
    demand("name", name, str, nothing, expected="the run's name, or None for the recipe's")
    demand("resume", resume, bool, expected="True or False")
    if say is not None and not callable(say):
        demand("say", say, nothing, expected="a function that takes a text, or None")
    return run.rehearse(
        recipe_of(recipe),
        parent=parent,
        name=name,
        resume=resume,
        say=say,
        observers=[PageDuringRun],
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
        ArgumentError: an argument is of the wrong type or value.
    """
    nothing = type(None)
    if axis is not None:
        demand_one_of("axis", axis, LABELS)
    demand("top", top, int, float, nothing, expected="the greatest possible reward, or None for 1")
    if labels is not None:
        _demand_labels(labels)
    one, other = _curves(a), _curves(b)
    own = [", ".join(each.name for each in side) for side in (one, other)]
    label_a, label_b = labels or own
    return Overlay(compare(one, other, axis=axis, top=top), one, other, label_a, label_b)


def _demand_labels(labels: object) -> None:
    expected = "two texts, what the sides are called"
    demand("labels", labels, list, tuple, expected=expected)
    assert isinstance(labels, list | tuple)
    if len(labels) != 2 or not all(isinstance(each, str) for each in labels):  # noqa: PLR2004
        raise ArgumentError("labels has an unknown value", expected=expected, found=repr(labels))


def _curves(paths: str | Path | Sequence[str | Path]) -> list[Curves]:
    paths = [paths] if isinstance(paths, str | Path) else paths
    expected = "runs or files, at least one, or one of them"
    demand("a side", paths, list, tuple, expected=expected)
    if not paths:
        raise ArgumentError("a side is empty", expected=expected, found=repr(paths))
    for each in paths:
        demand("an entry of a side", each, str, Path, expected="a run or a file")
    return [curves for path in paths for curves in read_curves(or_under_runs(path))]
