"""Two groups of curves on one axis: pictures and one self-contained page with the verdict.

Titles and colours are those of the report. It judges nothing: `bedrock_rft_sim.compare` did. Names
come from files and are untrusted text: the template escapes them, and the page runs no script.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bedrock_rft_sim import files
from bedrock_rft_sim.compare import Comparison
from bedrock_rft_sim.compare.axis import LABELS, PlacedSeries, place
from bedrock_rft_sim.compare.compare import is_reward
from bedrock_rft_sim.compare.decide import (
    ALPHA,
    LEAST_POINTS,
    LEAST_SEEDS,
    PLAUSIBLE_SEED_SPREAD,
    ShapeVerdict,
)
from bedrock_rft_sim.compare.order import RecipeOrder
from bedrock_rft_sim.compare.result import MetricComparison, SideSummary
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.summary import grid_over, half_window
from bedrock_rft_sim.compare.words import meanings
from bedrock_rft_sim.contract.metrics import HEALTHY_BANDS, metric
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.report import graphs, html
from bedrock_rft_sim.report.beside import beside
from bedrock_rft_sim.report.notebook import shown
from bedrock_rft_sim.stats.student import Array

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

    @property
    def verdict(self) -> ShapeVerdict:
        """Return what is said of the two as a whole."""
        return self.comparison.verdict

    @property
    def words(self) -> str:
        """Return the verdict and its reason."""
        return self.comparison.words

    def __repr__(self) -> str:
        """Say what is compared, and the verdict."""
        return f"<Overlay {self.label_a} against {self.label_b}: {self.verdict}>"

    def picture(self, form: str = "svg") -> bytes:
        """Return all graphs in one picture: `svg`, `png` or `pdf`.

        Raises:
            ArgumentError: it is another form.
        """
        return picture(self, form)

    def _repr_html_(self) -> str:
        """Return the verdict, the numbers and the curves, for a notebook."""
        rows = [
            (one.title, one.verdict, *(_course(side) for side in (one.a, one.b)), one.words)
            for one in self.comparison.known
        ]
        head = ("", "verdict", f"A: {self.label_a}", f"B: {self.label_b}", "why")
        svg = picture(self, "svg").decode()
        return shown(self.words, head, rows, svg[svg.index("<svg") :])

    def as_json(self) -> dict[str, Any]:
        """Return what was found, and under `curves` every line that is drawn."""
        curves = [line.as_json() for line in lines_of(self)]
        labels = {"label_a": self.label_a, "label_b": self.label_b}
        return self.comparison.as_json() | labels | {"curves": curves}


def _course(side: SideSummary | None) -> str:
    return "-" if side is None else f"{side.start:.3g} -> {side.end:.3g}"


@dataclass(frozen=True)
class PictureStyle:
    """What a picture of a comparison shows."""

    forms: Sequence[str] = ("svg", "png")
    """Of `graphs.FORMS`."""
    panels: Collection[str] = ()
    """Console titles or metric names; empty for all."""
    verdicts: bool = True
    """Whether each panel's verdict stands beside its title."""

    def of(self, comparison: Comparison) -> list[MetricComparison]:
        """Return the panels of this comparison.

        Raises:
            DataError: it lacks one.
        """
        known = {name.casefold(): one for one in comparison.known for name in _names(one)}
        for wanted in self.panels:
            if wanted.casefold() not in known:
                titles = ", ".join(one.title for one in comparison.known)
                raise DataError("no such panel", expected=f"one of: {titles}", found=repr(wanted))
        chosen = [known[wanted.casefold()].metric for wanted in self.panels]
        return [one for one in comparison.known if not chosen or one.metric in chosen]


def _names(one: MetricComparison) -> tuple[str, str]:
    return one.title, one.metric


@dataclass(frozen=True)
class DrawnLine:
    """One line of a graph, as it is drawn."""

    metric: str
    side: Literal["A", "B"]
    label: str
    """Of the side."""
    kind: Literal["run", "mean", "low", "high"]
    """A run as recorded; the runs' smoothed mean; the lowest and the highest smoothed run."""
    run: str | None
    """None for what is of all runs."""
    x: Array
    y: Array
    unit: str
    """Of y."""

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return vars(self) | {"x": self.x.tolist(), "y": self.y.tolist()}


STYLE: Final = PictureStyle()


def write_overlay(
    folder: Path,
    pairs: Sequence[Overlay],
    order: RecipeOrder | None = None,
    *,
    style: PictureStyle = STYLE,
) -> list[Path]:
    """Write the page, and each pair's picture in the forms of the style; return their paths.

    Raises:
        RunFolderError: the disk refuses.
        DataError: a comparison lacks a panel.
    """
    contents = {folder / PAGE: page(pairs, order).encode()}
    for number, pair in enumerate(pairs, start=1):
        stem = PICTURE if len(pairs) == 1 else f"{PICTURE}-{number}"
        for form in style.forms:
            contents[folder / f"{stem}.{form}"] = picture(pair, form, style=style)
    for path, content in contents.items():
        files.write_file(path, content, "write the comparison", parents=True, durable=False)
    return list(contents)


def write_csv(path: Path, pairs: Sequence[Overlay]) -> None:
    """Write every value that is drawn, one a row, in the order of the graphs.

    Raises:
        RunFolderError: the disk refuses.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("comparison", "metric", "side", "label", "kind", "run", "axis", "x", "y",
                     "unit"))  # fmt: skip
    for number, pair in enumerate(pairs, start=1):
        for one in lines_of(pair):
            start = (number, one.metric, one.side, one.label, one.kind, one.run)
            for x, y in zip(one.x.tolist(), one.y.tolist(), strict=True):
                writer.writerow((*start, pair.comparison.axis, x, y, one.unit))
    files.write_file(path, out.getvalue(), "write the curves", parents=True, durable=False)


def lines_of(pair: Overlay) -> list[DrawnLine]:
    """Return every line of every graph."""
    return [line for found in pair.comparison.known for line in _lines(pair, found)]


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
        "meanings": meanings(pairs[0].comparison.top_reward),
        "least_points": LEAST_POINTS,
        "least_seeds": LEAST_SEEDS,
        "plausible": PLAUSIBLE_SEED_SPREAD,
    }
    return html.render("report", "overlay.html.jinja", context, filters={"number": number})


def number(value: float | None, form: str = ".2f") -> str:
    """Return the number as a table shows it; what is unknown is a dash."""
    return "–" if value is None else format(value, form)


def picture(pair: Overlay, form: str, *, style: PictureStyle = STYLE) -> bytes:
    """Return a pair's graphs in one picture; same numbers, same bytes.

    Raises:
        DataError: the comparison lacks a panel.
    """
    metrics = style.of(pair.comparison)
    columns = min(COLUMNS, len(metrics))
    height = HEIGHT * graphs.rows_of(len(metrics), columns) + 0.5
    with graphs.figure(WIDTH * columns, height) as figure:
        every = graphs.places(figure, len(metrics), columns=columns)
        for axes, found in zip(every, metrics, strict=True):
            title = f"{found.title}: {found.verdict}" if style.verdicts else found.title
            axes.set_title(title, fontsize=10, loc="left")
            _draw(axes, pair, found)
        named = {
            label: handle
            for axes in every
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        where = {"loc": "outside upper left", "ncols": columns, "frameon": False}
        figure.legend(list(named.values()), list(named), **where)
        return graphs.saved(figure, form, dpi=DPI)


def _graph(pair: Overlay, found: MetricComparison) -> str:
    with graphs.figure(WIDTH, HEIGHT) as figure:
        _draw(figure.subplots(), pair, found)
        return graphs.inline_svg(figure)


def _draw(axes: Axes, pair: Overlay, found: MetricComparison) -> None:
    """Draw each run as recorded, the smoothed mean over them, and the band of the seeds."""
    is_share = pair.comparison.axis == "share"
    across = f"{LABELS[pair.comparison.axis]}{', %' if is_share else ''}"
    graphs.frame(axes, x=across, y=_unit(found))
    if pair.bands and is_reward(found.metric) and found.metric in HEALTHY_BANDS:
        graphs.shade(axes, HEALTHY_BANDS[found.metric])
    low = None
    for line in _lines(pair, found):
        color = graphs.COLORS["AB".index(line.side)]
        if line.kind == "run":
            marker = "o" if len(line.x) < LEAST_POINTS else ""
            axes.plot(line.x, line.y, color=color, linewidth=0.7, alpha=0.35, marker=marker,
                      markersize=3)  # fmt: skip
        elif line.kind == "mean":
            label = graphs.plain(line.label)
            axes.plot(line.x, line.y, color=color, linewidth=1.8, label=label)
        elif line.kind == "low":
            low = line.y
        elif low is not None:
            axes.fill_between(line.x, low, line.y, color=color, alpha=0.25, linewidth=0)


def _lines(pair: Overlay, found: MetricComparison) -> Iterator[DrawnLine]:
    import numpy as np

    sides: tuple[tuple[Literal["A", "B"], Sequence[Curves], SideSummary | None, str], ...] = (
        ("A", pair.a, found.a, pair.label_a),
        ("B", pair.b, found.b, pair.label_b),
    )
    across = 100.0 if pair.comparison.axis == "share" else 1.0
    for name, runs, side, label in sides:
        if side is None:
            continue
        up = 1 / side.start if not is_reward(found.metric) and side.start else 1.0
        line = partial(DrawnLine, found.metric, name, label, unit=_unit(found))
        placed = [(run.name, place(run, found.metric, pair.comparison.axis)) for run in runs]
        group = [(run, PlacedSeries(x.x * across, x.y * up)) for run, x in placed if x is not None]
        for run, one in group:
            yield line("run", run, one.x, one.y)
        sparse = max(len(one.x) for _, one in group) < LEAST_POINTS
        grid = grid_over([one for _, one in group])
        smoothed = np.array(
            [np.interp(grid, one.x, one.y if sparse else smooth(one.y)) for _, one in group]
        )
        if len(group) > 1:
            yield line("low", None, grid, smoothed.min(axis=0))
            yield line("high", None, grid, smoothed.max(axis=0))
        yield line("mean", None, grid, smoothed.mean(axis=0))


def smooth(y: Array) -> Array:
    """Return the values at straight lines fitted to windows of a fifth of the points, (n,).

    Away from the ends that is a moving mean. At the ends the window stays as long, where the
    comparison's own, which shrinks to one point, would bend the curve to whatever that point is.
    """
    import numpy as np

    size = min(len(y), 2 * half_window(len(y)) + 1)
    index = np.arange(len(y))
    start = np.clip(index - size // 2, 0, len(y) - size)
    across = np.arange(size) - (size - 1) / 2
    windows = y[start[:, None] + np.arange(size)]
    slopes = windows @ across / max(1.0, np.square(across).sum())
    fitted = windows.mean(axis=1) + slopes * (index - start - (size - 1) / 2)
    within: Array = np.clip(fitted, y.min(), y.max())
    return within


def _unit(found: MetricComparison) -> str:
    return metric(found.metric).unit if is_reward(found.metric) else "times its start"
