"""What functions printed, as CloudWatch Logs keeps it: a group for each function, streams of lines.

    logs/<name>@<region>/<created>-<version>-<id>.jsonl    {"timestamp": …, "message": "…"}

Times are milliseconds since 1970. Each warm container begins a stream, as on AWS.
The lines with which an invocation begins carry the time at which it began, all others that at which
it ended: what was printed is read as a whole.
Once there are too many lines, the oldest stream goes.
Source: AWS Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs".
"""

from __future__ import annotations

import datetime
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.files import append_line, dump, make_folder, named_errors, read_json_lines
from bedrock_rft_sim.grader.container import Outcome
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.lambda_.store import LATEST

STREAM_BYTES_MAX: Final = 4 * 1024 * 1024
STREAMS_MAX: Final = 16
_AT: Final = "@"
_BEGINS: Final = ("INIT_START ", "START ")
_ENDS: Final = "REPORT RequestId: "
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class LogStream:
    """One stream of a group."""

    created_ms: int
    version: str
    container: str
    path: Path
    read: Callable[[Path], list[dict[str, Any]]] = read_json_lines
    """From the file to timestamps and messages."""

    @property
    def name(self) -> str:
        """Its name, as Lambda makes it: date, version, container."""
        day = datetime.datetime.fromtimestamp(self.created_ms / 1000, datetime.UTC)
        return f"{day:%Y/%m/%d}/[{self.version}]{self.container}"

    def events(self) -> list[dict[str, Any]]:
        """Return the events, oldest first, each with its stream and its number there."""
        lines = self.read(self.path)
        return [{**line, "stream": self.name, "number": n} for n, line in enumerate(lines)]


def read_graded(times: Path) -> list[dict[str, Any]]:
    """Return the events of a run's grader.log; `times` lies beside it."""
    lines = times.read_text(encoding="utf-8").splitlines()
    known = {parts[0]: parts[1:] for parts in map(str.split, lines) if len(parts) == _PARTS}
    events: list[dict[str, Any]] = []
    block: list[str] = []
    log = times.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    for line in log.splitlines():
        block.append(line)
        if line.startswith(_ENDS):
            if line.split()[2] in known:
                began, ended = known[line.split()[2]]
                events += _stamped(block, began_s=float(began), ended_s=float(ended))
            block = []
    return events


def _stamped(lines: Iterable[str], *, began_s: float, ended_s: float) -> list[dict[str, Any]]:
    return [
        {"timestamp": int(1000 * moment), "message": line}
        for line in lines
        for moment in (began_s if line.startswith(_BEGINS) else ended_s,)
    ]


class FunctionLogs:
    """The logs of all functions; those of a function that was deleted stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, Path] = {}
        """By the ARN that was invoked, the file of the stream in use."""
        make_folder(folder)

    def keep(self, deployed: Deployed, outcome: Outcome) -> None:
        """Keep one invocation."""
        ended_s = time.time()
        began_s = ended_s - outcome.duration_s
        blocks = GraderLog(None, memory_mb=deployed.memory_mb).lines(outcome)
        lines = "\n".join(blocks).split("\n")
        records = map(dump, _stamped(lines, began_s=began_s, ended_s=ended_s))
        with self._lock:
            path = self._file_of(deployed.arn, outcome, began_s)
            with named_errors(path, "write the function's log"):
                append_line(path, "\n".join(records))

    def groups(self, region: str) -> list[FunctionId]:
        """Return the functions of a Region that have logs, by name."""
        found = (path.name.partition(_AT)[0] for path in self._folder.glob(f"*{_AT}{region}"))
        return sorted(FunctionId(region, name) for name in found)

    def streams(self, function: FunctionId) -> list[LogStream]:
        """Return a function's streams, oldest first; none where it has no logs."""
        found = []
        for path in self._of(function).glob("*.jsonl"):
            created, _, rest = path.stem.partition("-")
            version, _, container = rest.rpartition("-")  # an alias may hold dashes
            found.append(LogStream(int(created), version, container, path))
        return sorted(found, key=lambda one: (one.created_ms, one.name))

    def remove(self, function: FunctionId) -> None:
        """Forget a function's logs."""
        with self._lock, named_errors(self._of(function), "remove the logs"):
            if self._of(function).exists():
                shutil.rmtree(self._of(function))
            self._open = {}

    def _of(self, function: FunctionId) -> Path:
        return self._folder / f"{function.name}{_AT}{function.region}"

    def _file_of(self, arn: str, outcome: Outcome, began_s: float) -> Path:
        path = self._open.get(arn)
        is_new = outcome.init_s is not None or path is None
        if path is None or is_new or path.stat().st_size > STREAM_BYTES_MAX:
            function, version = find_function(arn, region=None)
            container = uuid.uuid4().hex
            name = f"{int(1000 * began_s)}-{version or LATEST}-{container}.jsonl"
            make_folder(self._of(function))
            for old in self.streams(function)[: 1 - STREAMS_MAX]:
                old.path.unlink(missing_ok=True)
            path = self._open[arn] = self._of(function) / name
        return path
