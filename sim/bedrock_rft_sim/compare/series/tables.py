"""Curves from CSV: Nova's step_wise_training_metrics.csv, and what the trackers export.

Sources: aws-samples/amazon-nova-samples (Nova's columns); TensorBoard ("Download CSV": Wall time,
Step, Value, one file per tag); W&B (chart export: Step, then "run - metric" with __MIN and __MAX).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
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


def kind_of(text: str) -> Kind | None:
    """Return which table begins with the text's first line; None where none of ours does."""
    try:
        header = next(csv.reader(io.StringIO(text.splitlines()[0])), [])
    except csv.Error:
        return None
    if NOVA_STEP in header:
        return "nova-csv"
    if header == TENSORBOARD:
        return "tensorboard-csv"
    return "wandb-csv" if header and header[0] in WANDB_STEPS and len(header) > 1 else None


def read_nova(text: str, source: str) -> Curves:
    """Return the curves of Nova's CSV; columns it may get later are kept as unknown.

    Raises:
        DataError: a row is cut short, or a metric is no number.
    """
    gathering = Gathering("nova-csv")
    header, rows = _table(text, source, gathering)
    place = header.index(NOVA_STEP)
    for position, (where, cells) in enumerate(rows):
        step, values = step_number(cells[place], where=where), zip(header, cells, strict=True)
        gathering.add(step, values, names.NOVA, order=(position, ""), where=where)
    return gathering.curves(source)


def read_tensorboard(text: str, source: str, gathering: Gathering | None = None) -> Gathering:
    """Add one tag's CSV to the series of its run; the tag is read from the file's name.

    Raises:
        DataError: a row is cut short, or a value is no number.
    """
    gathering = gathering or Gathering("tensorboard-csv")
    tag = run_and_tag(PurePath(source))[1]
    inner = names.of_file_name(tag)
    known = {} if inner is None else {tag: inner}
    _, rows = _table(text, source, gathering)
    for where, (wall, step_text, value) in rows:
        step = step_number(step_text, where=where)
        order = (number(wall) or 0.0, where)
        gathering.add(step, [(tag, value)], known, order=order, where=where)
    return gathering


def run_and_tag(path: PurePath) -> tuple[str, str]:
    """Return the run and the tag that TensorBoard writes into a file's name; else no run."""
    match = _TENSORBOARD_NAME.match(path.stem)
    return (match["run"], match["tag"]) if match else ("", path.stem)


def read_wandb(text: str, source: str) -> list[Curves]:
    """Return the curves of each run in a W&B export, in the order of the columns.

    Raises:
        DataError: a row is cut short, or a metric is no number.
    """
    seen = Gathering("wandb-csv")
    header, rows = _table(text, source, seen)
    extremes = sum(bool(_WANDB_EXTREME.search(name)) for name in header)
    if extremes:
        seen.notes.append(f"{extremes} columns of __MIN and __MAX are kept but not compared")
    columns = [_wandb_column(name) for name in header[1:]]
    known = {name: inner for _, name in columns if (inner := names.of_tracker(name))}
    runs = {run: Gathering("wandb-csv", notes=list(seen.notes)) for run, _ in columns}
    for position, (where, cells) in enumerate(rows):
        step = step_number(cells[0], where=where)
        for (run, name), cell in zip(columns, cells[1:], strict=True):
            runs[run].add(step, [(name, cell)], known, order=(position, ""), where=where)
    return [
        gathering.curves(f"{source}#{run}" if run else source) for run, gathering in runs.items()
    ]


def _wandb_column(header: str) -> tuple[str, str]:
    """Split "run - metric"; a column without a run is a history export of one run."""
    run, dash, metric = header.partition(" - ")
    if not dash:
        return "", header
    if names.of_tracker(_WANDB_EXTREME.sub("", metric)) is None and " - " in metric:
        run, _, metric = header.rpartition(" - ")
    return run, metric


def _table(text: str, source: str, gathering: Gathering) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns, and the rows below them, each with as many cells."""
    if not text.endswith(("\n", "\r")):
        gathering.notes.append(
            "the last line has no line end: if the file was cut, its last value may be too"
        )
    rows = _rows(text, source)
    header = next(rows, ("", []))[1]
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(
            "two columns have the same name", where=f"{source}:1", expected="each column once",
            found=", ".join(sorted(twice)), hint="export the table again",
        )  # fmt: skip
    return header, (_whole(row, len(header)) for row in rows)


def _rows(text: str, source: str) -> Iterator[Row]:
    """Yield the rows that are not empty, their cells without blanks around them."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        for cells in reader:
            if cells:
                yield f"{source}:{reader.line_num}", [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(
            "is no CSV", where=f"{source}:{reader.line_num}", expected="comma-separated cells",
            found=str(error), hint="export the table again",
        ) from error  # fmt: skip


def _whole(row: Row, count: int) -> Row:
    where, cells = row
    if len(cells) == count:
        return row
    raise DataError(
        "the row has another number of cells than the header",
        where=where,
        expected=f"{count} cells",
        found=f"{len(cells)}",
        hint="the file was cut short or is damaged: download or export it again",
    )
