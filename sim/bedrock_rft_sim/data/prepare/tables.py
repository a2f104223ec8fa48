"""Read rows of CSV, JSON, JSONL, parquet and Hub datasets, one by one.

JSONL and CSV keep the file's own line numbers; for the others a row's number counts from 1.
CSV cells stay text: `007` is no number. A `.json` file holds one list, which is read whole.
The network is used for a name that starts with `hf://` and for nothing else.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import regular

HUB = "hf://"
_READABLE = ".jsonl, .json, .csv, .tsv, .parquet, or hf://OWNER/NAME[/CONFIG]"


def read_table(source: str, *, split: str = "train") -> Iterator[DataRow]:
    """Yield the rows of a file or of a Hub dataset's split.

    Raises:
        DataError: it can't be read, or a row is no mapping of names to values.
    """
    if source.startswith(HUB):
        return _hub(source, split)
    path = Path(source)
    readers = {".jsonl": read, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        _refuse(source, f"a file called {path.name}", hint="rename or convert it")
    return reader(path)


def source_of(source: str) -> Path | str:
    """Return what a manifest notes of the source: a file to hash, or a Hub name."""
    return source if source.startswith(HUB) else Path(source)


def _refuse(source: str, found: str, *, hint: str) -> NoReturn:
    raise DataError(
        "the data can't be read", where=source, expected=_READABLE, found=found, hint=hint
    )


def _csv(path: Path) -> Iterator[DataRow]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with io.TextIOWrapper(regular(path), encoding="utf-8-sig", newline="") as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            line = 2  # a cell may span lines: the number is that of the row's first
            for record in reader:
                _check_cells(path, line, record)
                yield DataRow(line, dict(record), str(path))
                line = reader.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        where = f"{path}:{reader.line_num + 1}"
        _refuse(where, str(error), hint="write the file again as UTF-8 CSV")
    except OSError as error:
        _refuse(str(path), error.strerror or str(error), hint="check the path")


def _check_cells(path: Path, line: int, record: dict[Any, Any]) -> None:
    if None in record or None in record.values():
        cells = len(record) - (None in record) - list(record.values()).count(None)
        extra = len(record.get(None) or [])
        raise DataError(
            "the row has not as many cells as the header has names",
            where=f"{path}:{line}",
            expected=f"{len(record) - (None in record)} cells",
            found=f"{cells + extra}",
            hint="quote cells that hold commas or line breaks",
        )


def _json(path: Path) -> Iterator[DataRow]:
    try:
        with regular(path) as file:
            value = json.loads(file.read())
    except OSError as error:
        _refuse(str(path), error.strerror or str(error), hint="check the path")
    except json.JSONDecodeError as error:
        found = f"{error.msg} at column {error.colno}"
        _refuse(f"{path}:{error.lineno}", found, hint="one object per line is .jsonl, not .json")
    except (ValueError, RecursionError) as error:
        _refuse(str(path), str(error), hint="write the file again as UTF-8 JSON")
    if not isinstance(value, list):
        _refuse(str(path), type(value).__name__, hint="put the records into one list")
    for number, record in enumerate(value, start=1):
        if not isinstance(record, dict):
            found = f"{type(record).__name__} as record {number}"
            _refuse(str(path), found, hint="make every record an object")
        yield DataRow(number, record, str(path))


def _parquet(path: Path) -> Iterator[DataRow]:
    if not path.is_file():
        _refuse(str(path), "no such file", hint="check the path")
    return _stream(str(path), "parquet", data_files=str(path), split="train")


def _hub(source: str, split: str) -> Iterator[DataRow]:
    parts = source.removeprefix(HUB).strip("/").split("/")
    if len(parts) not in (2, 3) or not all(parts):
        _refuse(source, source, hint="name it hf://OWNER/NAME, or hf://OWNER/NAME/CONFIG")
    return _stream(source, "/".join(parts[:2]), *parts[2:], split=split)


def _stream(source: str, *what: str, **options: str) -> Iterator[DataRow]:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets

    try:
        rows = datasets.load_dataset(*what, streaming=True, **options)
        for number, record in enumerate(rows, start=1):
            yield DataRow(number, dict(record), source)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        found = (str(error).strip().splitlines() or [type(error).__name__])[0]
        _refuse(source, found, hint="check the spelling, the split and the connection")
