"""One self-contained HTML page about a sweep: the ranking, effects, parallel coordinates, runs.

Texts from recipes and runs are untrusted: the template escapes them, the script draws them as text,
and the page's policy runs the two scripts that came with it. The parallel coordinates are lines of
an ordinary plot: plotly's own kind builds code at run time, which the policy forbids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.files import write_file
from bedrock_rft_sim.report import html
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.sweep.axes import AxisFinding, named
from bedrock_rft_sim.sweep.plan import described_changes, plain
from bedrock_rft_sim.sweep.result import BEST, SweepResult

PAGE: Final = "sweep.html"


def write_page(result: SweepResult) -> Path:
    """Write the page beside the result.

    Raises:
        RunFolderError: the disk refuses.
    """
    path = result.out / PAGE
    write_file(path, render(result).encode(), "write the page", durable=False)
    return path


def render(result: SweepResult) -> str:
    """Return the page as HTML."""
    sweep = result.plan.sweep
    fresh = result.confirmation.outcomes if result.confirmation else []
    context = {
        "title": sweep.path.stem,
        "recipe": str(sweep.recipe if isinstance(sweep.recipe, str) else sweep.path),
        "mode": sweep.mode,
        "metric": sweep.metric,
        "seeds": result.plan.seeds,
        "words": result.words,
        "best": BEST,
        "best_changes": result.ranking.best.changes if result.ranking else None,
        "axes": result.axes,
        "rows": result.as_json()["settings"],
        "runs": [*result.outcomes, *fresh],
        "described": described_changes,
        "failed": result.failed,
        **html.scripted(html.own("page.js", room="sweep"), _data(result)),
    }
    return html.render("sweep", "page.html.jinja", context)


def _data(result: SweepResult) -> dict[str, Any]:
    """Return what the script draws."""
    base = {axis.path: result.plan.base_value(axis.path) for axis in result.plan.sweep.axes}
    lines = [
        {
            "name": visible(described_changes(row.changes)),
            "values": [_mark(row.changes.get(path, base[path])) for path in base],
            "mean": row.mean,
        }
        for row in result.rows
        if row.mean is not None
    ]
    effects = [
        {
            "levels": [visible(named(level)) for level in axis.levels],
            "values": _values(axis),
            "reach": [
                level.effect.high - level.effect.value
                if level.effect and level.effect.high is not None
                else None
                for level in axis.levels
            ],
        }
        for axis in result.axes
        if result.plan.sweep.mode != "search"
    ]
    return {
        "metric": result.plan.sweep.metric,
        "axes": [visible(axis.name) for axis in result.plan.sweep.axes],
        "lines": lines,
        "effects": effects,
    }


def _values(axis: AxisFinding) -> list[float | None]:
    """Return each level's effect: 0 for the one that the others are held against."""
    reference = next((level for level in axis.levels if level.is_base), axis.levels[0])
    known = [0.0 if level is reference else None for level in axis.levels]
    pairs = zip(axis.levels, known, strict=True)
    return [own if level.effect is None else level.effect.value for level, own in pairs]


def _mark(value: Any) -> float | int | str:
    if is_number(value):
        return value
    return visible(plain(value) if value is not None else "left out")
