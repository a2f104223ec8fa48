"""Curves from CSV: Nova's step_wise_training_metrics.csv, and what the trackers export.

Sources: aws-samples/amazon-nova-samples (Nova's columns); TensorBoard ("Download CSV": Wall time,
Step, Value, one file per tag); W&B (chart export: Step, then "run - metric" with __MIN and __MAX;
history: any order of columns, `_step` among them).
"""

from __future__ import annotations

import collections
import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Final, Literal

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import (
    STEP_NAMES,
    Curves,
    Gathering,
    Kind,
    number,
    step_number,
)
from bedrock_rft_sim.errors import DataError

Row = tuple[str, list[str]]
"""Where it stands, and its cells."""

NOVA_STEP: Final = "step_number"
TENSORBOARD: Final = ["Wall time", "Step", "Value"]
NO_VALUES: Final = {*STEP_NAMES, "", "Unnamed: 0"}
"""Columns that are no metric: the steps, and the row number that pandas writes."""
_WANDB_EXTREME = re.compile(r"__(MIN|MAX)$")
_TENSORBOARD_NAME = re.compile(r"^(?:run-)?(?P<run>.*?)[-_.]?tag-(?P<tag>.+)$")


def kind_of(text: str) -> Kind | Literal["log"] | None:
    """Return which table begins with the text's first line; None where none of ours does."""
    try:
        header = next(csv.reader([text.lstrip().partition("\n")[0]]), [])
    except csv.Error:
        return None
    if NOVA_STEP in header:
        return "nova-csv"
    if header == TENSORBOARD:
        return "tensorboard-csv"
    if "@message" in header or {"message", "timestamp"} <= set(header):
        return "log"
    is_known = any(names.of_tracker(_wandb_column(name)[1]) for name in header)
    has_step = not set(STEP_NAMES).isdisjoint(header)
    has_values = len(header) > 1 and not NO_VALUES.issuperset(header)
    return "wandb-csv" if has_values and (has_step or is_known) else None


def read_nova(text: str, source: str) -> Curves:
    """Return the curves of Nova's CSV; columns it may get later are kept as unknown.

    Raises:
        DataError: a metric is not finite.
    """
    gathering = Gathering("nova-csv")
    header, rows = _table(text, source, gathering)
    place = header.index(NOVA_STEP)
    for position, (where, cells) in enumerate(rows):
        step, values = cells[place], zip(header, cells, strict=True)
        gathering.add(step, values, names.NOVA.get, order=(position, ""), where=where)
    return gathering.curves(source)


def read_tensorboard(text: str, source: str, gathering: Gathering | None = None) -> Gathering:
    """Add one tag's CSV to the series of its run; the tag is read from the file's name.

    Raises:
        DataError: a metric is not finite.
    """
    gathering = gathering or Gathering("tensorboard-csv")
    tag = run_and_tag(PurePath(source))[1]
    inner = names.of_file_name(tag)
    known = {tag: inner} if inner else {}
    _, rows = _table(text, source, gathering)
    for where, (wall, step, value) in rows:
        order = (number(wall) or 0.0, where)
        gathering.add(step, [(tag, value)], known.get, order=order, where=where)
    return gathering


def run_and_tag(path: PurePath) -> tuple[str, str]:
    """Return the run and the tag that TensorBoard writes into a file's name; else no run."""
    match = _TENSORBOARD_NAME.match(path.stem)
    return (match["run"], match["tag"]) if match else ("", path.stem)


def read_wandb(text: str, source: str) -> list[Curves]:
    """Return the curves of each run in a W&B export, in the order of the columns.

    Raises:
        DataError: no column holds steps, or a metric is not finite.
    """
    seen = Gathering("wandb-csv")
    header, rows = _table(text, source, seen)
    places = [header.index(name) for name in STEP_NAMES if name in header]
    if not places:
        raise _no_steps(header, source)
    extremes = sum(bool(_WANDB_EXTREME.search(name)) for name in header)
    if extremes:
        seen.notes.append(f"{extremes} columns of __MIN and __MAX are kept but not compared")
    columns: dict[str, list[tuple[int, str]]] = {}
    for place, title in enumerate(header):
        if title not in NO_VALUES:
            run, name = _wandb_column(title)
            columns.setdefault(run, []).append((place, name))
    runs = {
        run: Gathering(seen.kind, notes=list(seen.notes), unread=seen.unread) for run in columns
    }
    for position, (where, cells) in enumerate(rows):
        step = next((cells[place] for place in places if cells[place]), "")
        if step_number(step) is None:
            seen.leave_out(where, f"the step is no whole number from 0: {step[:60]!r}")
            continue
        for run, named in columns.items():
            values = [(name, cells[place]) for place, name in named]
            runs[run].add(step, values, names.of_tracker, order=(position, ""), where=where)
    return [
        gathering.curves(f"{source}#{run}" if run else source) for run, gathering in runs.items()
    ]


def _no_steps(header: list[str], source: str) -> DataError:
    return DataError(
        "the table has no column of steps",
        where=f"{source}:1",
        expected=f"one of the columns {', '.join((*STEP_NAMES, NOVA_STEP))}",
        found=f"the columns {', '.join(header)}"[:200],
        hint="name the column that counts the steps step; in a W&B chart set the x axis to Step "
        "and export it again, since a time says nothing of the step",
    )


def unreadable(text: str, source: str) -> DataError | None:
    """Return what a table of numbers lacks that is none of ours; None where it is no table."""
    lines = text.strip().splitlines()
    for mark in (",", ";", "\t"):
        header, *below = ([cell.strip() for cell in line.split(mark)] for line in lines[:2])
        first = next((cells for cells in below if len(cells) == len(header)), [])
        is_named = len(header) > 1 and all(number(cell) is None for cell in header)
        if not is_named or all(number(cell) is None for cell in first):
            continue
        if mark != ",":
            return _no_commas(header, mark, source)
        return None if set(STEP_NAMES) & set(header) else _no_steps(header, source)
    return None


def _no_commas(header: list[str], mark: str, source: str) -> DataError:
    return DataError(
        "the columns of the table are not separated by commas",
        where=f"{source}:1",
        expected="commas, and decimal points",
        found=f"{mark!r} between the columns {', '.join(header)}"[:200],
        hint="write the table again as CSV with commas, one column named step",
    )


def _wandb_column(header: str) -> tuple[str, str]:
    """Split "run - metric"; a column without a run is a history export of one run."""
    run, dash, metric = header.partition(" - ")
    if not dash:
        return "", header
    if names.of_tracker(_WANDB_EXTREME.sub("", metric)) is None and " - " in metric:
        run, _, metric = header.rpartition(" - ")
    return run, metric


def records(text: str, source: str) -> list[tuple[str, dict[str, str]]]:
    """Return each row by the names of its columns, with where it stands."""
    header, rows = _table(text, source, Gathering("verl-log"))
    return [(where, dict(zip(header, cells, strict=True))) for where, cells in rows]


def _table(text: str, source: str, gathering: Gathering) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns, and the rows below them that have as many cells."""
    if not text.endswith(("\n", "\r")):
        gathering.notes.append(
            "the last line has no line end: if the file was cut, its last value may be too"
        )
    rows = _rows(text, source, gathering)
    header = next(rows, ("", []))[1]
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(
            "two columns have the same name", where=f"{source}:1", expected="each column once",
            found=", ".join(sorted(twice)), hint="export the table again",
        )  # fmt: skip
    return header, _whole(rows, len(header), gathering)


def _rows(text: str, source: str, gathering: Gathering) -> Iterator[Row]:
    """Yield the rows that are not empty, their cells without blanks around them."""
    for n, cells in _all_rows(text) if _is_whole(text) else _row_by_line(text, source, gathering):
        if any(cells):
            yield f"{source}:{n}", [cell.strip() for cell in cells]


def _is_whole(text: str) -> bool:
    try:
        collections.deque(_all_rows(text), maxlen=0)
    except csv.Error:
        return False
    return True


def _all_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    return ((reader.line_num, cells) for cells in reader)


def _row_by_line(text: str, source: str, gathering: Gathering) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line by itself, so that a quote left open swallows one line only."""
    for n, line in enumerate(text.splitlines(), start=1):
        try:
            yield n, next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            gathering.leave_out(f"{source}:{n}", f"{line[:60]!r} is no CSV: {error}")


def _whole(rows: Iterable[Row], count: int, gathering: Gathering) -> Iterator[Row]:
    for where, cells in rows:
        if len(cells) == count:
            yield where, cells
        else:
            gathering.leave_out(where, f"{len(cells)} cells below {count} columns")
