"""Read a run folder for a report, whatever state it is in, and say what was wrong with it.

What can be mended without guessing is mended and named in `remarks`; what can't is one error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.contract.metrics import METRICS
from bedrock_rft_sim.contract.statuses import IN_PROGRESS, STOPPING
from bedrock_rft_sim.diagnosis.verdicts.evidence import is_number
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs import RunFolder

NOT_NUMBERS: Final = frozenset(
    {"local_reward_components", "local_grader_errors", "local_seconds", "local_non_finite"}
)
NUMBERS: Final = frozenset(metric.inner for metric in METRICS) - NOT_NUMBERS


@dataclass(frozen=True)
class Run:
    """What a run folder holds, without its rollouts."""

    folder: RunFolder
    record: dict[str, Any]
    resolved: dict[str, Any]
    """Empty when the run ended before its recipe was written."""
    lines: list[dict[str, Any]]
    """Metric lines, one per step, in order."""
    going_on: bool
    """Whether a process is still writing to it."""
    remarks: tuple[str, ...]
    """What was found wrong and mended."""

    @property
    def status(self) -> str:
        """Bedrock's word."""
        return str(self.record.get("status") or "unknown")

    @property
    def last_step(self) -> int:
        """The last complete step."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    def local(self, name: str) -> Any:
        """Return a value under `local:` as the run understood it; None if it is not there."""
        entry = (self.resolved.get("local") or {}).get(name)
        return entry.get("value") if isinstance(entry, dict) else None

    def setting(self, name: str) -> Any:
        """Return a setting the run was trained with; None if it is not there."""
        entry = (self.resolved.get("settings") or {}).get(name)
        return entry.get("value") if isinstance(entry, dict) else None


def read_run(folder: RunFolder) -> Run:
    """Read everything but the rollouts.

    Raises:
        RunFolderError: run.json or the metrics are damaged.
    """
    remarks: list[str] = []
    record = folder.read_record()
    going_on = folder.is_being_written()
    if record.get("status") in (IN_PROGRESS, STOPPING) and not going_on:
        remarks.append(
            "No process is writing to this run any more: it was killed. "
            "`rft run RECIPE --resume` goes on from its last checkpoint."
        )
    if folder.resolved.is_file():
        resolved = folder.read_resolved()
    else:
        resolved = {}
        remarks.append("recipe.resolved.json is missing: the run ended before it was written.")
    lines = _checked(folder, remarks)
    return Run(folder, record, resolved, lines, going_on, tuple(remarks))


def _checked(folder: RunFolder, remarks: list[str]) -> list[dict[str, Any]]:
    by_step: dict[int, dict[str, Any]] = {}
    last, twice, unordered = -1, [], []
    for number, line in enumerate(folder.read_metrics(), start=1):
        step = line.get("step")
        if not isinstance(step, int) or isinstance(step, bool) or step < 0:
            raise RunFolderError(
                "this is not a line of metrics",
                where=f"{folder.metrics}:{number}",
                expected='an object with "step": a whole number from 0',
                found=repr(line)[:80],
                hint="something else wrote this file; restore it, or run again under another name",
            )
        if step in by_step:
            twice.append(step)
        elif step < last:
            unordered.append(step)
        last = step
        by_step[step] = _numbers_only(line, remarks)
    if twice:
        remarks.append(f"metrics.jsonl has {_steps(twice)} more than once; the last line counts.")
    if unordered:
        remarks.append(f"metrics.jsonl has {_steps(unordered)} out of order; the lines are sorted.")
    return [by_step[step] for step in sorted(by_step)]


def _numbers_only(line: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    foreign = [n for n, v in line.items() if n in NUMBERS and v is not None and not is_number(v)]
    for name in foreign:
        remarks.append(f"metrics.jsonl, step {line['step']}: {name} is no number and is left out.")
    return {name: value for name, value in line.items() if name not in foreign}


def _steps(steps: list[int], shown: int = 5) -> str:
    named = ", ".join(map(str, steps[:shown])) + (" ..." if len(steps) > shown else "")
    return f"step{'s' if len(steps) > 1 else ''} {named}"
