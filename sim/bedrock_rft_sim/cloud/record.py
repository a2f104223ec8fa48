"""cloud.json: what was asked of AWS for one job, and what of it is ours.

It is written before each call that makes something, whole or not at all, so that a kill between
any two steps leaves a record from which the next command goes on, and `rft clean` takes away
nothing that was not made here.
It holds names, hashes and times; no credential and no value of a function's variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import CloudError

RECORD: Final = "cloud.json"
LOCK: Final = ".cloud.lock"
CLOUD: Final = Path("cloud")
"""Where the folders of jobs are, beside `runs`."""
ASKED, MADE = "asked", "made"
_SCHEMA: Final = 1


class CloudRecord:
    """One job's cloud.json; `opened` locks it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORD
        self._known: dict[str, Any] = {"schema_version": _SCHEMA, "owned": []}
        if self.path.is_file():
            self._known = files.read_json(self.path)
            if self._known.get("schema_version") != _SCHEMA:
                raise CloudError(
                    "the record was written by another version",
                    where=str(self.path),
                    expected=f"schema_version {_SCHEMA}",
                    found=repr(self._known.get("schema_version")),
                )

    def get(self, name: str) -> Any:
        """Return a field; None where it was never set."""
        return self._known.get(name)

    def set(self, **fields: object) -> None:
        """Set fields and write the record."""
        self._known |= {**fields, "changed": datetime.now(UTC).isoformat(timespec="seconds")}
        text = files.dump(self._known, indent=2) + "\n"
        files.write_file(self.path, text, "write the record", parents=True)

    def state(self, kind: str, name: str) -> str | None:
        """Return `asked` or `made` of something that is ours; None of anything else."""
        return next((each["state"] for each in self.owned() if _is(each, kind, name)), None)

    def own(self, kind: str, name: str, state: str = ASKED) -> None:
        """Note that something is being made here, before it is, or that it is made."""
        by_name = {(each["kind"], each["name"]): each for each in self.owned()}
        by_name[kind, name] = {"kind": kind, "name": name, "state": state}
        self.set(owned=list(by_name.values()))

    def disown(self, kind: str, name: str) -> None:
        """Note that something is gone, or was not made here."""
        self.set(owned=[each for each in self.owned() if not _is(each, kind, name)])

    def owned(self) -> list[dict[str, str]]:
        """Return what is ours, in the order in which it was made."""
        return list(self._known["owned"])


def _is(each: dict[str, str], kind: str, name: str) -> bool:
    return (each["kind"], each["name"]) == (kind, name)


def folder_named(text: str, *, parent: Path) -> Path | None:
    """Return the folder of a job that is named by its path, or by its name under `parent`."""
    places = (Path(text), parent / text)
    return next((place for place in places if (place / RECORD).is_file()), None)


@contextmanager
def opened(folder: Path) -> Iterator[CloudRecord]:
    """Give a job's record, which nobody else writes meanwhile; where none is written, none stays.

    Raises:
        CloudError: another process has it.
        RunFolderError: the disk refuses.
    """
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    files.make_folder(folder)
    try:
        lock = files.Lock(folder / LOCK)
    except files.BUSY as error:
        raise CloudError(
            "another command is at work on this job", where=str(folder), hint="wait until it ends"
        ) from error
    try:
        files.sweep(folder)
        yield CloudRecord(folder)
    finally:
        if {each.name for each in folder.iterdir()} == {LOCK}:
            with suppress(OSError):  # some systems keep a file that is open
                (folder / LOCK).unlink()
                for each in new:
                    each.rmdir()
        lock.release()
