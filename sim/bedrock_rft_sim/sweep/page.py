"""One self-contained HTML page about a sweep: the ranking, effects, parallel coordinates, runs.

Texts from recipes and runs are untrusted: the template escapes them, the script draws them as text,
and the page's policy runs the two scripts that came with it. The parallel
coordinates are lines of an ordinary plot: plotly's own kind builds code at run time, which the
policy forbids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.files import write_file
from bedrock_rft_sim.report import html
from bedrock_rft_sim.report.visible import visible
from bedrock_rft_sim.sweep.axes import named
from bedrock_rft_sim.sweep.effects import between, over_seeds
from bedrock_rft_sim.sweep.outcome import PointOutcome
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
    plan = result.plan
    context = {
        "title": plan.sweep.path.stem,
        "recipe": str(plan.sweep.recipe if isinstance(plan.sweep.recipe, str) else plan.sweep.path),
        "mode": plan.sweep.mode,
        "metric": plan.sweep.metric,
        "seeds": plan.seeds,
        "words": result.words,
        "has_best": result.ranking is not None,
        "best": BEST,
        "axes": result.axes,
        "named": named,
        "rows": _rows(result),
        "runs": _runs(result),
        "failed": result.failed,
        **html.scripted(html.own("page.js", room="sweep"), _data(result)),
    }
    return html.render("sweep", "page.html.jinja", context)


def _rows(result: SweepResult) -> list[dict[str, Any]]:
    found = []
    for row, told in zip(result.rows, result.as_json()["settings"], strict=True):
        found.append(
            {
                "name": described_changes(row.changes),
                "mean": over_seeds(row),
                "effect": between(row, result.rows[0]) if row.changes else None,
                "behaviour": told["behaviour"],
                "says": told["says"],
                "refused": bool(told["refused_by_bedrock"]),
                "is_best": result.ranking is not None and result.ranking.best is row,
            }
        )
    return found


def _runs(result: SweepResult) -> list[dict[str, Any]]:
    fresh = result.confirmation.outcomes if result.confirmation else []
    return [
        *(_run(one, is_fresh=False) for one in result.outcomes),
        *(_run(one, is_fresh=True) for one in fresh),
    ]


def _run(one: PointOutcome, *, is_fresh: bool) -> dict[str, Any]:
    return {**one.as_json(), "setting": described_changes(one.changes), "is_fresh": is_fresh}


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
            "values": [level.effect.value if level.effect else 0.0 for level in axis.levels],
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


def _mark(value: Any) -> float | int | str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else visible(plain(value) if value is not None else "left out")
