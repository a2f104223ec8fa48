"""grader.log: what the handler printed, between the lines that Lambda itself writes.

The lines are worded as CloudWatch shows them; the billed duration is rounded up to a millisecond.
Source: AWS Lambda developer guide, "Log and monitor Python Lambda functions".
"""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bedrock_rft_sim.files import append_line, named_errors
from bedrock_rft_sim.grader.container import Fault, Outcome

TIMES: Final = ".times"
"""Of the file beside the log: request id, began, ended, in seconds since 1970, a line for each."""


class GraderLog:
    """Appends one block per invocation; without a path it keeps nothing."""

    def __init__(self, path: Path | None, *, memory_mb: int) -> None:
        self._path = path
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def write(self, outcome: Outcome) -> None:
        """One invocation, from START to REPORT, in one write; when it was stands beside the log."""
        if self._path is not None:
            ended = time.time()
            self._append("\n".join(self.lines(outcome)))
            when = f"{outcome.request_id} {ended - outcome.duration_s:.3f} {ended:.3f}"
            self._append(when, self._path.with_suffix(TIMES))

    def warn(self, warnings: Iterable[str]) -> None:
        """Our own words, each warning once per log."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._append(f"WARNING {warning}")

    def _append(self, block: str, path: Path | None = None) -> None:
        path = path or self._path
        if path is None:
            return
        with self._lock, named_errors(path, "write the grader's log"):
            append_line(path, block)

    def lines(self, outcome: Outcome) -> list[str]:
        """Return the lines of one invocation, from START to REPORT."""
        name = f"RequestId: {outcome.request_id}"
        printed = outcome.printed.decode("utf-8", "replace").replace("\r", "\n").strip("\n")
        lines = [f"START {name} Version: $LATEST", *([printed] if printed else [])]
        if outcome.init_s is not None:
            version = f"python:{platform.python_version()}"
            closed = f"File system: {outcome.confinement}"
            lines.insert(0, f"INIT_START Runtime Version: {version}\t{closed}")
        if isinstance(outcome.answer, Fault):
            lines.append(f"{outcome.answer.error_type}: {outcome.answer.message}")
        return [*lines, f"END {name}", self._report(outcome, name)]

    def _report(self, outcome: Outcome, name: str) -> str:
        duration_ms = outcome.duration_s * 1000
        memory, init = outcome.max_memory_mb, outcome.init_s
        fault = outcome.answer if isinstance(outcome.answer, Fault) else None
        parts = [
            f"REPORT {name}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(duration_ms)} ms",
            f"Memory Size: {self._memory_mb} MB",
            *([] if memory is None else [f"Max Memory Used: {math.ceil(memory)} MB"]),
            *([] if init is None else [f"Init Duration: {init * 1000:.2f} ms"]),
            *([] if fault is None else [f"Error Type: {fault.error_type}"]),
        ]
        return "\t".join(parts)
