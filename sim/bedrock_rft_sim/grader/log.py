"""grader.log: what the handler printed, between the lines that Lambda itself writes.

The lines are worded as CloudWatch shows them; the billed duration is rounded up to a millisecond.
Source: AWS Lambda developer guide, "Log and monitor Python Lambda functions".
"""

from __future__ import annotations

import math
import platform
import threading
from collections.abc import Iterable
from pathlib import Path

from bedrock_rft_sim.files import append_line, named_errors
from bedrock_rft_sim.grader.container import Fault, Outcome


class GraderLog:
    """Appends one block per invocation; without a path it keeps nothing."""

    def __init__(self, path: Path | None, *, memory_mb: int) -> None:
        self._path = path
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def write(self, outcome: Outcome) -> None:
        """One invocation, from START to REPORT, in one write."""
        if self._path is not None:
            self._append("\n".join(self.lines(outcome)))

    def warn(self, warnings: Iterable[str]) -> None:
        """Our own words, each warning once per log."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._append(f"WARNING {warning}")

    def _append(self, block: str) -> None:
        if self._path is None:
            return
        with self._lock, named_errors(self._path, "write the grader's log"):
            append_line(self._path, block)

    def lines(self, outcome: Outcome) -> list[str]:
        """Return the lines of one invocation, from START to REPORT."""
        name = f"RequestId: {outcome.request_id}"
        printed = outcome.printed.decode("utf-8", "replace").replace("\r", "\n").strip("\n")
        lines = [f"START {name} Version: $LATEST", *([printed] if printed else [])]
        if outcome.init_s is not None:
            lines.insert(0, f"INIT_START Runtime Version: python:{platform.python_version()}")
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
