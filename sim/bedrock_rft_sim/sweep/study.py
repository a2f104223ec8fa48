"""The study of a search: a journal in the sweep's folder, to which several machines append.

An entry is appended under a lock that ends with its process; what a kill left half written is cut
off before the next one. A study from before, in an SQLite file, is copied into the journal once.

Sources: Optuna 5 (`JournalStorage`, `JournalFileBackend`, `copy_study`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import RehearsalError, RunFolderError

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

JOURNAL: Final = "study.jsonl"
SQLITE: Final = "study.db"
LOCK_POLL_S: Final = 0.005


def open_study(out: Path, lock: Path, *, name: str) -> JournalStorage:
    """Return the storage of the sweep's study; nobody else may be opening it.

    Raises:
        RunFolderError: the journal, or the SQLite file from before, can't be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _named_damage(out / JOURNAL, "the journal"):
        storage = optuna.storages.JournalStorage(_backend(out / JOURNAL, lock))
    old = out.resolve() / SQLITE
    is_new = name not in [study.study_name for study in storage.get_all_studies()]
    if is_new and old.exists():
        with _named_damage(old, "the SQLite file"):
            _copy_from_sqlite(old, name, storage)
    return storage


def _backend(journal: Path, lock: Path) -> Any:
    from optuna.storages.journal import JournalFileBackend

    class Journal(JournalFileBackend):
        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with files.named_errors(journal, "write the study of the search"):
                super().append_logs(logs)

    return Journal(str(journal), lock_obj=_JournalLock(journal, lock))  # type: ignore[arg-type]


class _JournalLock:
    """What Optuna asks of a lock; its own are left behind by a kill, and then waited for."""

    def __init__(self, journal: Path, lock: Path) -> None:
        self._journal, self._path = journal, lock
        self._held: files.Lock | None = None

    def acquire(self) -> bool:
        while self._held is None:
            try:
                self._held = files.Lock(self._path)
            except files.BUSY:
                time.sleep(LOCK_POLL_S)
        _cut_half_a_line(self._journal)
        return True

    def release(self) -> None:
        assert self._held is not None
        self._held.release()
        self._held = None


def _cut_half_a_line(journal: Path) -> None:
    """Cut off what follows the last newline, which a kill in the middle of an entry left."""
    with journal.open("r+b") as file:
        size = file.seek(0, 2)
        if size and (file.seek(-1, 2), file.read(1))[1] != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _copy_from_sqlite(path: Path, name: str, storage: JournalStorage) -> None:
    """Copy the study of this name, if it is there."""
    import optuna

    before = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        with contextlib.suppress(KeyError):
            optuna.copy_study(from_study_name=name, from_storage=before, to_storage=storage)
    finally:
        before.engine.dispose()


@contextlib.contextmanager
def _named_damage(study: Path, what: str) -> Iterator[None]:
    """Turn whatever reading a damaged study raises into one error."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except RehearsalError:
        raise
    except (
        AssertionError, AttributeError, LookupError, OSError, OptunaError, RuntimeError,
        SQLAlchemyError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise RunFolderError(
            "the study of the search can't be used",
            where=str(study),
            expected=f"{what} of a search, as this sweep left it",
            found=(str(error.__cause__ or error) or type(error).__name__).splitlines()[0],
            hint="restore the file, or move it away: finished runs are used again",
        ) from error
