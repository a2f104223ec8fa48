"""Two groups of curves on one axis: pictures and one self-contained page with the verdict.

Titles and colours are those of the report. It judges nothing: `bedrock_rft_sim.compare` did. Names
come from files and are untrusted text: the template escapes them, and the page runs no script.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.compare import Comparison, MetricComparison, Order
from bedrock_rft_sim.compare.axis import LABELS, Series, place
from bedrock_rft_sim.compare.compare import REWARDS, grid_over
from bedrock_rft_sim.compare.decide import ALPHA, ASSUMED_SEED_SPREAD, LEAST_POINTS, LEAST_SEEDS
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.summary import WINDOW, smoother
from bedrock_rft_sim.contract.metrics import metric
from bedrock_rft_sim.report import scripts
from bedrock_rft_sim.report.graphs import COLORS, HASH_SALT
from bedrock_rft_sim.report.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE: Final = "compare.html"
PICTURE: Final = "compare"
COLUMNS: Final = 2
WIDTH, HEIGHT = 4.9, 2.9  # inches, of one graph
DPI = 150
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Pair:
    """Two groups of runs and what was found about them."""

    comparison: Comparison
    a: Sequence[Curves]
    b: Sequence[Curves]
    label_a: str
    label_b: str


def write_overlay(folder: Path, pairs: Sequence[Pair], order: Order | None = None) -> list[Path]:
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


def page(pairs: Sequence[Pair], order: Order | None = None) -> str:
    """Return the page as HTML."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bedrock_rft_sim.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["visible"] = visible
    environment.filters["number"] = number
    # The SVG is drawn by us and matplotlib escapes its texts; the style is a file of this room.
    graphs = [
        [(found, markupsafe.Markup(_graph(pair, found))) for found in drawn(pair)]  # noqa: S704
        for pair in pairs
    ]
    html = environment.get_template("overlay.html.jinja").render(
        pairs=list(zip(pairs, graphs, strict=True)),
        order=order,
        css=markupsafe.Markup(scripts.own("page.css")),  # noqa: S704
        policy=POLICY,
        colors=COLORS,
        alpha=ALPHA,
        window=WINDOW,
        least_points=LEAST_POINTS,
        least_seeds=LEAST_SEEDS,
        assumed=ASSUMED_SEED_SPREAD,
    )
    return html.encode("utf-8", "replace").decode()


def drawn(pair: Pair) -> list[MetricComparison]:
    """Return the metrics that at least one side has."""
    return [one for one in pair.comparison.metrics if one.a is not None or one.b is not None]


def number(value: float | None, form: str = ".2f") -> str:
    """Return the number as a table shows it; what is unknown is a dash."""
    return "–" if value is None else format(value, form)


def picture(pair: Pair, form: str) -> bytes:
    """Return all graphs of a pair in one picture, `svg` or `png`; same numbers, same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    metrics = drawn(pair)
    rows = -(-len(metrics) // COLUMNS)
    with mpl.rc_context(_style()):
        figure = Figure(figsize=(WIDTH * COLUMNS, HEIGHT * rows + 0.5), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for place_, found in zip(axes, metrics, strict=False):
            _draw(place_, pair, found)
        for unused in axes[len(metrics) :]:
            unused.set_visible(False)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
        return _saved(figure, form)


def _graph(pair: Pair, found: MetricComparison) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_style()):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        _draw(figure.subplots(), pair, found, title=False)
        svg = _saved(figure, "svg").decode()
    return svg[svg.index("<svg") :]


def _style() -> dict[str, Any]:
    return {"svg.hashsalt": HASH_SALT, "svg.fonttype": "none", "font.size": 9}


def _saved(figure: Any, form: str) -> bytes:
    out = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    figure.savefig(out, format=form, dpi=DPI, metadata=metadata)
    return out.getvalue()


def _draw(axes: Axes, pair: Pair, found: MetricComparison, *, title: bool = True) -> None:
    if title:
        axes.set_title(f"{found.title}: {found.verdict}", fontsize=10, loc="left")
    share = pair.comparison.axis == "share"
    axes.set_xlabel(f"{LABELS[pair.comparison.axis]}{', %' if share else ''}")
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    relative = found.metric not in REWARDS
    axes.set_ylabel("times its start" if relative else metric(found.metric).unit)
    sides = ((pair.a, found.a, pair.label_a), (pair.b, found.b, pair.label_b))
    for (runs, side, label), color in zip(sides, COLORS, strict=False):
        if side is None:
            continue
        scale = 1 / side.start if relative and side.start else 1.0
        placed = [place(run, found.metric, pair.comparison.axis) for run in runs]
        _draw_group(
            axes,
            [_scaled(one, 100.0 if share else 1.0, scale) for one in placed if one is not None],
            label=_plain(label),
            color=color,
        )


def _scaled(series: Series, across: float, up: float) -> Series:
    return Series(series.x * across, series.y * up)


def _draw_group(axes: Axes, group: Sequence[Series], *, label: str, color: str) -> None:
    """Draw each run as recorded, the smoothed mean over them, and the band of the seeds."""
    import numpy as np

    sparse = max(len(one.x) for one in group) < LEAST_POINTS
    for one in group:
        axes.plot(
            one.x,
            one.y,
            color=color,
            linewidth=0.7,
            alpha=0.35,
            marker="o" if sparse else "",
            markersize=3,
        )
    grid = grid_over(group)
    smoothed = np.array(
        [np.interp(grid, one.x, one.y if sparse else smoother(len(one.y)) @ one.y) for one in group]
    )
    if len(group) > 1:
        axes.fill_between(
            grid, smoothed.min(axis=0), smoothed.max(axis=0), color=color, alpha=0.25, linewidth=0
        )
    axes.plot(grid, smoothed.mean(axis=0), color=color, linewidth=1.8, label=label)


def _plain(name: str) -> str:
    """Return a name that matplotlib takes for text: no mathematics, no hidden entry."""
    return visible(name).replace("$", r"\$").lstrip("_") or "?"
