"""Write a data file and the manifest that says how it was made, or nothing at all.

Rows go to a hidden temporary file in the same folder (`.NAME.PID.tmp`). When the operation ends
well, that file is synced, then the manifest takes its place, then the data file: so a data file
that stands beside a manifest is whole and is the one that the manifest describes. A kill leaves at
most the temporary file, or a manifest without its data. An older file that `force` replaces is
removed before the new manifest is written, never left beside it.

Memory: the line numbers of dropped rows only, and of those no more than `LINES_KEPT` a reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from bedrock_rft_sim import __version__
from bedrock_rft_sim.data.prepare.rows import DataRow, Unusable
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors, real, regular, replacing

SCHEMA_VERSION = 1
MANIFEST_SUFFIX = ".manifest.json"
LINES_KEPT = 100_000
"""Line numbers listed for one reason; the count goes on, and the manifest says what is missing."""

T = TypeVar("T")


class DataOutput:
    """A data file in the making; a context manager.

    `sources` are the files that were read (a `Path`, hashed) or names of remote data (a `str`).
    Leaving the block normally puts data and manifest in place; an exception leaves neither.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        operation: str,
        parameters: Mapping[str, Any],
        sources: Iterable[Path | str],
        seed: int | None = None,
        force: bool = False,
    ) -> None:
        self.path = Path(path)
        self.written = 0
        self.unusable = Unusable()
        self._made_by: dict[str, Any] = {
            "operation": operation,
            "parameters": dict(parameters),
            "seed": seed,
        }
        self._sources = list(sources)
        self._force = force
        self._rows_in: int | None = None
        self._drops: dict[tuple[str, str | None], _Drops] = {}
        self._notes: dict[str, Any] = {}
        self._digest = hashlib.sha256()
        self._made: list[Path] = []
        self._temporary = self.path.parent / f".{self.path.name}.{os.getpid()}.tmp"

    def __enter__(self) -> Self:
        """Look whether the file may be written, hash the sources, open the temporary file.

        Raises:
            DataError: the file exists, is one of the sources, or its folder can't be written.
        """
        self._refuse_to_destroy()
        self._made_by["sources"] = [_source(source) for source in self._sources]
        self._made = _missing(self.path.parent)
        try:
            with _writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._temporary.open("wb")
        except DataError:
            self._remove_made()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or take back what was written."""
        try:
            if kind is None:
                with _writing(self.path):
                    self._finish()
        finally:
            with contextlib.suppress(OSError):  # a full disk refuses what is still to be flushed
                self._file.close()
            self._temporary.unlink(missing_ok=True)
            self._remove_made()

    def _remove_made(self) -> None:
        """Take back the folders that were made for nothing; one that holds a file stays."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def counted(self, rows: Iterable[T]) -> Iterator[T]:
        """Pass the rows on and count them: the manifest's `rows.in`."""
        for row in rows:
            self._rows_in = (self._rows_in or 0) + 1
            yield row

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record.

        Raises:
            DataError: the record can't be written as JSON in UTF-8, or the disk is full.
        """
        try:
            line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        except (ValueError, TypeError) as error:  # not finite, half of a character, a date
            raise DataError(
                "the record can't be written",
                where=f"{self.path}:{self.written + 1} (id {record.get('id')!r})",
                expected="text that UTF-8 can write, finite numbers, flags, lists and objects",
                found=str(error),
                hint="mend the record it was made from",
            ) from error
        with _writing(self.path):
            self._file.write(line)
        self._digest.update(line)
        self.written += 1
        self.unusable.look_at(record, self.written)

    def drop(self, row: DataRow, reason: str) -> None:
        """Count a row that is left out, with its line."""
        self._drops.setdefault((reason, row.source), _Drops()).add(row.line)

    def note(self, key: str, value: Any) -> None:
        """Put something worth knowing into the manifest; a second value replaces the first."""
        self._notes[key] = value

    @property
    def dropped(self) -> int:
        """Return how many rows were left out so far."""
        return sum(drops.count for drops in self._drops.values())

    def manifest(self) -> dict[str, Any]:
        """Return what the manifest says, as far as is known by now."""
        return {
            "schema_version": SCHEMA_VERSION,
            "tool": f"rft {__version__}",
            **self._made_by,
            "output": {"name": self.path.name, "sha256": self._digest.hexdigest()},
            "rows": {"in": self._rows_in, "out": self.written, "dropped": self.dropped},
            "drops": [
                {"reason": reason, "source": source, **drops.as_json()}
                for (reason, source), drops in self._drops.items()
            ],
            "unusable": asdict(self.unusable),
            "notes": self._notes,
        }

    def _refuse_to_destroy(self) -> None:
        for source in self._sources:
            if isinstance(source, Path) and is_same_file(source, self.path):
                raise DataError(
                    "the output is one of the inputs",
                    where=str(self.path),
                    expected="another file: inputs are never changed",
                    found=str(source),
                    hint="choose another name with -o",
                )
        with _writing(self.path):
            kind = self.path.stat().st_mode if os.path.lexists(self.path) else None
        if kind is not None and not (stat.S_ISREG(kind) and self._force):
            size = f"{self.path.stat().st_size:,} bytes"
            raise DataError(
                "the output exists already",
                where=str(self.path),
                expected="a name that is free",
                found=size if stat.S_ISREG(kind) else "a folder, a pipe or a device",
                hint="choose another name with -o, or --force to replace a file",
            )

    def _finish(self) -> None:
        text = json.dumps(self.manifest(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        manifest = manifest_path(self.path)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        with replacing(manifest) as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())  # before the older file goes
            self.path.unlink(missing_ok=True)
        self._temporary.replace(self.path)


@contextlib.contextmanager
def open_parts(
    folder: Path,
    sources: Mapping[str, Path | str],
    *,
    parameters: Mapping[str, Any],
    **options: Any,
) -> Iterator[dict[str, DataOutput]]:
    """Open an output in the folder for each part: all are put in place or, if anything fails, none.

    `sources` has the file that each part is made from; the options are those of `DataOutput`.
    """
    with contextlib.ExitStack() as stack:
        outputs = {
            part: DataOutput(
                folder / f"{part}.jsonl",
                parameters={**parameters, "part": part},
                sources=[source],
                **options,
            )
            for part, source in sources.items()
        }
        yield {part: stack.enter_context(output) for part, output in outputs.items()}


class _Drops:
    """The lines dropped for one reason."""

    def __init__(self) -> None:
        self.count = 0
        self.lines: list[int] = []

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < LINES_KEPT:
            self.lines.append(line)

    def as_json(self) -> dict[str, Any]:
        missing = self.count - len(self.lines)
        said = {"lines_not_listed": missing} if missing else {}
        return {"count": self.count, "lines": self.lines, **said}


def _missing(folder: Path) -> list[Path]:
    """Return the folder and those above it, as far as they are not there, the innermost first."""
    return [each for each in (folder, *folder.parents) if not os.path.lexists(each)]


def manifest_path(path: Path) -> Path:
    """Return where the manifest of a data file stands."""
    return path.with_name(path.name + MANIFEST_SUFFIX)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both paths lead to one file, however they are spelt."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return real(one) == real(other)


def _source(source: Path | str) -> dict[str, Any]:
    if isinstance(source, str):
        return {"name": source, "sha256": None}
    with (
        named_errors(
            source, "read the data file", kind=DataError, expected="a file", hint="check the path"
        ),
        regular(source) as file,
    ):
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": str(source), "sha256": digest, "bytes": file.tell()}


def _writing(path: Path) -> AbstractContextManager[None]:
    return named_errors(
        path,
        "write the output",
        kind=DataError,
        expected="a folder with room, in which files may be made",
        hint="free some space or choose another folder with -o; nothing was left behind",
    )
