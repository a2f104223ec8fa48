"""Curves from CSV: Nova's step_wise_training_metrics.csv, and what the trackers export.

Sources: aws-samples/amazon-nova-samples (Nova's columns); TensorBoard ("Download CSV": Wall time,
Step, Value, one file per tag); W&B (chart export: Step, then "run - metric" with __MIN and __MAX).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Final

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, Gathering, Kind, number, step_number
from bedrock_rft_sim.errors import DataError

Row = tuple[str, list[str]]
"""Where it stands, and its cells."""

NOVA_STEP: Final = "step_number"
TENSORBOARD: Final = ["Wall time", "Step", "Value"]
WANDB_STEPS: Final = ("Step", "step", "_step", "trainer/global_step", "train/global_step")
_WANDB_EXTREME = re.compile(r"__(MIN|MAX)$")
_TENSORBOARD_NAME = re.compile(r"^(?:run-)?(?P<run>.*?)[-_.]?tag-(?P<tag>.+)$")


def kind_of(header: list[str]) -> Kind | None:
    """Return which CSV has this header, if one of ours has."""
    if NOVA_STEP in header:
        return "nova-csv"
    if header == TENSORBOARD:
        return "tensorboard-csv"
    if header and header[0] in WANDB_STEPS and len(header) > 1:
        return "wandb-csv"
    return None


def header_of(text: str) -> list[str]:
    """Return the cells of the first line; a line that is no CSV has none."""
    try:
        return next(csv.reader(io.StringIO(text.splitlines()[0])), [])
    except csv.Error:
        return []


def read_nova(text: str, source: str) -> Curves:
    """Return the curves of Nova's CSV; columns it may get later are kept as unknown.

    Raises:
        DataError: a row is cut short, or a metric is no number.
    """
    gathering = Gathering("nova-csv")
    header, rows = _table(text, source, gathering)
    place = _column(header, NOVA_STEP, source)
    for position, (where, cells) in enumerate(rows):
        step = step_number(cells[place], where=where)
        for name, cell in zip(header, cells, strict=True):
            if name != NOVA_STEP:
                gathering.add(
                    name,
                    step,
                    cell.strip(),
                    inner=names.NOVA.get(name),
                    order=(position, ""),
                    where=where,
                )
    return gathering.curves(source)


def read_tensorboard(text: str, source: str, gathering: Gathering | None = None) -> Gathering:
    """Add one tag's CSV to the series of its run; the tag is read from the file's name.

    Raises:
        DataError: a row is cut short, or a value is no number.
    """
    gathering = gathering or Gathering("tensorboard-csv")
    tag = tag_of(source)
    inner = names.of_file_name(tag)
    _, rows = _table(text, source, gathering)
    for where, (wall, step_text, value) in rows:
        step = step_number(step_text, where=where)
        order = (number(wall) or 0.0, where)
        gathering.add(tag, step, value, inner=inner, order=order, where=where)
    return gathering


def run_of(source: str) -> str:
    """Return the run that TensorBoard writes into the name of a tag's file, or nothing."""
    match = _TENSORBOARD_NAME.match(PurePath(source).stem)
    return match["run"] if match else ""


def tag_of(source: str) -> str:
    """Return the tag that TensorBoard writes into the name of its file, or the whole name."""
    stem = PurePath(source).stem
    match = _TENSORBOARD_NAME.match(stem)
    return match["tag"] if match else stem


def read_wandb(text: str, source: str) -> list[Curves]:
    """Return the curves of each run in a W&B export, in the order of the columns.

    Raises:
        DataError: a row is cut short, or a metric is no number.
    """
    probe = Gathering("wandb-csv")
    header, rows = _table(text, source, probe)
    runs: dict[str, Gathering] = {}
    columns = [_wandb_column(name) for name in header[1:]]
    for run, _, _ in columns:
        runs.setdefault(run, Gathering("wandb-csv", notes=list(probe.notes)))
    extremes = [name for name in header if _WANDB_EXTREME.search(name)]
    for position, (where, cells) in enumerate(rows):
        step = step_number(cells[0], where=where)
        for (run, name, inner), cell in zip(columns, cells[1:], strict=True):
            runs[run].add(name, step, cell.strip(), inner=inner, order=(position, ""), where=where)
    if extremes:
        note = f"{len(extremes)} columns of __MIN and __MAX are kept but not compared"
        for gathering in runs.values():
            gathering.notes.append(note)
    return [
        gathering.curves(f"{source}#{run}" if run else source) for run, gathering in runs.items()
    ]


def _wandb_column(header: str) -> tuple[str, str, str | None]:
    """Split "run - metric"; a column without a run is a history export of one run."""
    run, dash, metric = header.partition(" - ")
    if not dash:
        run, metric = "", header
    elif names.of_tracker(_WANDB_EXTREME.sub("", metric)) is None and " - " in metric:
        run, _, metric = header.rpartition(" - ")
    return run, metric, names.of_tracker(metric)


def _table(text: str, source: str, gathering: Gathering) -> tuple[list[str], Iterator[Row]]:
    if not text.endswith(("\n", "\r")):
        gathering.notes.append(
            "the last line has no line end: if the file was cut, its last value may be too"
        )
    reader = csv.reader(io.StringIO(text), strict=True)
    header = [name.strip() for name in _next(reader, source) or []]
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(
            "two columns have the same name",
            where=f"{source}:1",
            expected="each column once",
            found=", ".join(sorted(twice)),
            hint="export the table again",
        )
    return header, _rows(lambda: _next(reader, source), lambda: reader.line_num, header, source)


def _next(reader: Iterator[list[str]], source: str) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise DataError(
            "is no CSV",
            where=f"{source}:{reader.line_num}",  # type: ignore[attr-defined]
            expected="comma-separated cells",
            found=str(error),
            hint="export the table again",
        ) from error


def _rows(
    following: Callable[[], list[str] | None],
    line: Callable[[], int],
    header: list[str],
    source: str,
) -> Iterator[Row]:
    while (cells := following()) is not None:
        if not cells:
            continue
        where = f"{source}:{line()}"
        if len(cells) != len(header):
            raise DataError(
                "the row has another number of cells than the header",
                where=where,
                expected=f"{len(header)} cells",
                found=f"{len(cells)}",
                hint="the file was cut short or is damaged: download or export it again",
            )
        yield where, cells


def _column(header: list[str], name: str, source: str) -> int:
    if name not in header:
        raise DataError(
            f"has no column {name}",
            where=f"{source}:1",
            expected=f"Nova's columns: {', '.join(names.NOVA)}",
            found=", ".join(header)[:100],
            hint="check whether the file is what you meant",
        )
    return header.index(name)
