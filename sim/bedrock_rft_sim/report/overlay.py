"""Two groups of curves on one axis: pictures and one self-contained page with the verdict.

Titles and colours are those of the report. It judges nothing: `bedrock_rft_sim.compare` did. Names
come from files and are untrusted text: the template escapes them, and the page runs no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.compare import Comparison
from bedrock_rft_sim.compare.axis import LABELS, PlacedSeries, place
from bedrock_rft_sim.compare.compare import is_reward
from bedrock_rft_sim.compare.decide import (
    ALPHA,
    LEAST_POINTS,
    LEAST_SEEDS,
    PLAUSIBLE_SEED_SPREAD,
)
from bedrock_rft_sim.compare.order import RecipeOrder
from bedrock_rft_sim.compare.result import MetricComparison
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.summary import WINDOW, grid_over, smoother
from bedrock_rft_sim.contract.metrics import HEALTHY_BANDS, metric
from bedrock_rft_sim.report import graphs, html
from bedrock_rft_sim.report.beside import beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE: Final = "compare.html"
PICTURE: Final = "compare"
COLUMNS: Final = 2
WIDTH, HEIGHT = 4.9, 2.9  # inches, of one graph
DPI = 150
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Overlay:
    """Two groups of runs and what was found about them."""

    comparison: Comparison
    a: Sequence[Curves]
    b: Sequence[Curves]
    label_a: str
    label_b: str
    bands: bool = False
    """Whether to shade between which rewards AWS's own experiments moved."""


def write_overlay(
    folder: Path, pairs: Sequence[Overlay], order: RecipeOrder | None = None
) -> list[Path]:
    """Write the page, and each pair's picture as SVG and PNG, and return their paths.

    Raises:
        RunFolderError: the disk refuses.
    """
    contents = {folder / PAGE: page(pairs, order).encode()}
    for number, pair in enumerate(pairs, start=1):
        stem = PICTURE if len(pairs) == 1 else f"{PICTURE}-{number}"
        for form in ("svg", "png"):
            contents[folder / f"{stem}.{form}"] = picture(pair, form)
    for path, content in contents.items():
        files.write_file(path, content, "write the comparison", parents=True, durable=False)
    return list(contents)


def page(pairs: Sequence[Overlay], order: RecipeOrder | None = None) -> str:
    """Return the page as HTML."""
    pictures = [
        [(one, html.trusted(_graph(pair, one))) for one in pair.comparison.known] for pair in pairs
    ]
    context = {
        "pairs": list(zip(pairs, pictures, strict=True)),
        "beside": [beside([pair.a, pair.b]) for pair in pairs],
        "order": order,
        "policy": POLICY,
        "colors": graphs.COLORS,
        "alpha": ALPHA,
        "window": WINDOW,
        "least_points": LEAST_POINTS,
        "least_seeds": LEAST_SEEDS,
        "plausible": PLAUSIBLE_SEED_SPREAD,
    }
    return html.render("report", "overlay.html.jinja", context, filters={"number": number})


def number(value: float | None, form: str = ".2f") -> str:
    """Return the number as a table shows it; what is unknown is a dash."""
    return "–" if value is None else format(value, form)


def picture(pair: Overlay, form: str) -> bytes:
    """Return all graphs of a pair in one picture, `svg` or `png`; same numbers, same bytes."""
    metrics = pair.comparison.known
    height = HEIGHT * graphs.rows_of(len(metrics), COLUMNS) + 0.5
    with graphs.figure(WIDTH * COLUMNS, height) as figure:
        every = graphs.places(figure, len(metrics), columns=COLUMNS)
        for axes, found in zip(every, metrics, strict=True):
            axes.set_title(f"{found.title}: {found.verdict}", fontsize=10, loc="left")
            _draw(axes, pair, found)
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
        return graphs.saved(figure, form, dpi=DPI)


def _graph(pair: Overlay, found: MetricComparison) -> str:
    with graphs.figure(WIDTH, HEIGHT) as figure:
        _draw(figure.subplots(), pair, found)
        return graphs.inline_svg(figure)


def _draw(axes: Axes, pair: Overlay, found: MetricComparison) -> None:
    is_share, relative = pair.comparison.axis == "share", not is_reward(found.metric)
    unit = "times its start" if relative else metric(found.metric).unit
    graphs.frame(axes, x=f"{LABELS[pair.comparison.axis]}{', %' if is_share else ''}", y=unit)
    if pair.bands and not relative and found.metric in HEALTHY_BANDS:
        graphs.shade(axes, HEALTHY_BANDS[found.metric])
    across = 100.0 if is_share else 1.0
    sides = ((pair.a, found.a, pair.label_a), (pair.b, found.b, pair.label_b))
    for (runs, side, label), color in zip(sides, graphs.COLORS, strict=False):
        if side is None:
            continue
        up = 1 / side.start if relative and side.start else 1.0
        placed = [place(run, found.metric, pair.comparison.axis) for run in runs]
        group = [PlacedSeries(one.x * across, one.y * up) for one in placed if one is not None]
        _draw_group(axes, group, label=graphs.plain(label), color=color)


def _draw_group(axes: Axes, group: Sequence[PlacedSeries], *, label: str, color: str) -> None:
    """Draw each run as recorded, the smoothed mean over them, and the band of the seeds."""
    import numpy as np

    sparse = max(len(one.x) for one in group) < LEAST_POINTS
    for one in group:
        marker = "o" if sparse else ""
        axes.plot(one.x, one.y, color=color, linewidth=0.7, alpha=0.35, marker=marker, markersize=3)
    grid = grid_over(group)
    smoothed = np.array(
        [np.interp(grid, one.x, one.y if sparse else smoother(len(one.y)) @ one.y) for one in group]
    )
    if len(group) > 1:
        low, high = smoothed.min(axis=0), smoothed.max(axis=0)
        axes.fill_between(grid, low, high, color=color, alpha=0.25, linewidth=0)
    axes.plot(grid, smoothed.mean(axis=0), color=color, linewidth=1.8, label=label)
