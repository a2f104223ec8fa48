"""The list of jobs, in one SQLite file that a kill at any instant leaves whole.

It starts nothing and knows no process; `bedrock_rft_sim.jobs.worker` does.
Sources: SQLite documentation, write-ahead logging.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs.job import DETAILS, Job, Kind, Phase, Phases, UnknownJobError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    token TEXT,
    request TEXT NOT NULL,
    extra TEXT NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    modified REAL NOT NULL,
    failure TEXT,
    phases TEXT NOT NULL,
    deaths INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, token)
)
"""

PLAIN = ("id", "name", "status", "created", "started", "ended", "modified", "failure")
"""Columns that are fields of a job as they stand."""


class RegistryError(RehearsalError, RuntimeError):
    """The list of jobs can't be read or written."""


class Registry:
    """Rows of jobs; safe to use from several threads of one process.

    Who reads never waits for who writes: a reader has a connection of its own and sees the last
    transaction that is complete; inside a transaction its own thread sees what it wrote.
    """

    def __init__(self, path: Path, *, runs: Path) -> None:
        self._runs = runs
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._writer: int | None = None
        """The thread that is in a transaction."""
        try:
            self._db = _connect(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._check_version(path)
            self._db.execute(_SCHEMA)
            self._readers = _connect(path)
            self._readers.execute("PRAGMA query_only = ON")
        except sqlite3.DatabaseError as error:
            raise RegistryError(
                "the list of jobs can't be opened",
                where=str(path),
                found=str(error),
                hint="move the file away to begin with an empty list; the run folders stay",
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._readers.close()
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep several changes together, all or none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._writer = None

    def add(self, job: Job, *, token: str | None) -> None:
        """Add a job; within `transaction`, after looking for its token."""
        names = (*PLAIN, "kind", "request", "phases")
        values = {name: getattr(job, name) for name in names}
        values |= {"extra": job.details, "token": token}
        marks = ", ".join("?" * len(values))
        # Column names come from this package, never from a client.
        statement = f"INSERT INTO jobs ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
        self._execute(statement, [_stored(value) for value in values.values()])

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: no job has this id.
        """
        rows = self._select("WHERE id = ?", (job_id,))
        if not rows:
            raise UnknownJobError("there is no job of this id", found=repr(job_id))
        return rows[0]

    def with_token(self, kind: Kind, token: str) -> Job | None:
        """Return the job that was created with this token."""
        return next(iter(self._select("WHERE kind = ? AND token = ?", (kind, token))), None)

    def with_name(self, kind: Kind, name: str) -> Job | None:
        """Return the newest job of this name."""
        newest = "WHERE kind = ? AND name = ? ORDER BY number DESC LIMIT 1"
        return next(iter(self._select(newest, (kind, name))), None)

    def of_kind(self, kind: Kind) -> list[Job]:
        """Return the jobs of a kind, newest first."""
        return self._select("WHERE kind = ? ORDER BY number DESC", (kind,))

    def with_status(self, *statuses: str) -> list[Job]:
        """Return the jobs that have one of these statuses, oldest first."""
        marks = ", ".join("?" * len(statuses))
        return self._select(f"WHERE status IN ({marks}) ORDER BY number", statuses)

    def undelivered(self) -> list[Job]:
        """Return the jobs that ended without their end being delivered, oldest first."""
        ended = "status IN ('completed', 'failed', 'stopped')"
        return self._select(f"WHERE delivered = 0 AND {ended} ORDER BY number", ())

    def set(self, job_id: str, **values: Any) -> None:
        """Set columns of a job; a dataclass is stored as JSON."""
        columns = ", ".join(f"{name} = ?" for name in values)
        # As in `add`.
        statement = f"UPDATE jobs SET {columns} WHERE id = ?"  # noqa: S608
        self._execute(statement, [*(_stored(value) for value in values.values()), job_id])

    def count_death(self, job_id: str) -> int:
        """Count one more child that was killed; return how many there were."""
        with self._lock:
            self._execute("UPDATE jobs SET deaths = deaths + 1 WHERE id = ?", (job_id,))
            row = self._db.execute("SELECT deaths FROM jobs WHERE id = ?", (job_id,)).fetchone()
        deaths: int = row["deaths"]
        return deaths

    def _check_version(self, path: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise RegistryError(
                "the list of jobs was written by another version",
                where=str(path),
                expected=f"schema version {SCHEMA_VERSION}",
                found=str(version),
                hint="serve it with the version of bedrock-rft-sim that wrote it",
            )
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _execute(self, statement: str, values: Sequence[Any]) -> None:
        with self._lock:
            self._db.execute(statement, values)

    def _select(self, clause: str, values: tuple[Any, ...]) -> list[Job]:
        # The clause is one of this class's own; what a client sent is in `values`.
        statement = f"SELECT * FROM jobs {clause}"  # noqa: S608
        if self._writer == threading.get_ident():
            rows = self._db.execute(statement, values).fetchall()
        else:
            with self._reading:
                rows = self._readers.execute(statement, values).fetchall()
        return [self._job(row) for row in rows]

    def _job(self, row: sqlite3.Row) -> Job:
        phases = {name: Phase(**phase) for name, phase in json.loads(row["phases"]).items()}
        return Job(
            **{name: row[name] for name in PLAIN},
            details=DETAILS[row["kind"]](**json.loads(row["extra"])),
            request=json.loads(row["request"]),
            folder=self._runs / row["id"],
            phases=Phases(**phases),
        )


def _stored(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return json.dumps(value) if isinstance(value, dict) else value


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection
