"""One run as everything else reads it: record, recipe, metric lines, answers, measured times.

A run is read in whatever state it is in. What can be mended without guessing is mended and named in
`remarks`; what can't is one error. Answers, prompts and events are read when needed,
answers one step at a time.

Source: AWS Lambda developer guide, "Log and monitor Python Lambda functions" (Billed Duration, in
whole milliseconds for each invocation).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

from bedrock_rft_sim import files
from bedrock_rft_sim.contract.metrics import METRICS
from bedrock_rft_sim.contract.statuses import COMPLETED, IN_PROGRESS, STOPPING
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.runs.folder import RunFolder, is_locked
from bedrock_rft_sim.runs.metrics.finite import is_number
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.runs.shapes import METRICS_INSIDE, misfit
from bedrock_rft_sim.stats.shares import mean

NUMBERS: Final = frozenset(metric.inner for metric in METRICS) - METRICS_INSIDE.keys()
MILLISECOND: Final = 0.001
"""What Lambda bills at least for an invocation, in seconds."""
BEDROCK: Final = "bedrock"
"""In `origin` of run.json: the run is a job's, pulled from the cloud."""
SHOWN: Final = 5
"""Steps that a remark names."""
_REPORT = re.compile(
    r"REPORT RequestId: \S+\t(?:[^\t]*\t)*Billed Duration: (\d+) ms\tMemory Size: (\d+) MB"
)
MB_PER_GB: Final = 1024


@dataclass(frozen=True)
class Run:
    """A run as it is now: `Run.open("runs/quickstart").lines`; read it again to see it go on."""

    folder: RunFolder
    record: dict[str, Any]
    """run.json."""
    resolved: dict[str, Any]
    """The recipe as understood; empty when the run ended before it was written."""
    lines: list[dict[str, Any]]
    """Metric lines, one per step, in order."""
    going_on: bool
    """Whether a process is still writing to it; False for a copy, which has no lock."""
    remarks: tuple[str, ...]
    """What was found wrong and mended, or is missing."""
    gaps: tuple[str, ...] = ()
    """Of the remarks those that name steps whose numbers or answers are gone."""

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read the run in a folder.

        Raises:
            RunFolderError: there is no run, or its record or metrics are damaged.
        """
        return cls.read(RunFolder.open(path))

    @classmethod
    def read(cls, folder: RunFolder, *, ending: Mapping[str, Any] | None = None) -> Self:
        """Read a run whose folder is at hand; `ending` is what run.json is about to hold.

        Raises:
            RunFolderError: its record or metrics are damaged.
        """
        record = {**folder.read_record(), **(ending or {})}
        is_here = record.get("origin") != BEDROCK
        goes_on = is_here and record.get("status") in (IN_PROGRESS, STOPPING)
        going_on = goes_on and is_locked(folder.path)
        remarks = [str(remark) for remark in record.get("remarks") or ()]
        if goes_on and not going_on:
            remarks.append(
                "No process is writing to this run any more: it was killed. "
                "`rft run RECIPE --resume` goes on from its last checkpoint."
            )
        resolved = folder.read_resolved() if folder.resolved.is_file() else {}
        if not resolved and is_here:
            remarks.append("recipe.resolved.json is missing: the run ended before it was written.")
        lines = _mended(folder, remarks)
        gaps = _gaps(folder, record, lines)
        remarks += gaps
        return cls(folder, record, resolved, lines, going_on, tuple(remarks), tuple(gaps))

    def __repr__(self) -> str:
        """Say which run it is and how far."""
        return f"<Run {self.words}>"

    @property
    def words(self) -> str:
        """Its name, its status and its last step."""
        total = (self.record.get("steps") or {}).get("total")
        of = f" of {total}" if total else ""
        return f"{self.folder.name}: {self.status}, step {self.last_step}{of}"

    @property
    def status(self) -> str:
        """Bedrock's word."""
        return str(self.record.get("status") or "unknown")

    @property
    def is_of_bedrock(self) -> bool:
        """Whether it was trained on Bedrock and pulled from there."""
        return self.record.get("origin") == BEDROCK

    @property
    def last_step(self) -> int:
        """The last complete step."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    def local(self, name: str) -> Any:
        """Return a value under `local:` as the run understood it; None if it is not there."""
        return _value(self.resolved, "local", name)

    @property
    def base_model(self) -> str | None:
        """What was trained: a name, or a folder from anywhere; None where the run does not say."""
        named = self.record.get("model") or self.local("model")
        return named if isinstance(named, str) else None

    def setting(self, name: str) -> Any:
        """Return a setting the run was trained with; None if it is not there."""
        return _value(self.resolved, "settings", name)

    @property
    def floor(self) -> float | None:
        """What a script earns that never sees a reference; None where it was not measured."""
        return (self.record.get("floor") or {}).get("score")

    @property
    def trained(self) -> list[dict[str, Any]]:
        """The metric lines of training steps; one of a validation before the first is not."""
        return [line for line in self.lines if "critic_rewards_mean" in line]

    def prompts(self) -> dict[tuple[str, str], Row]:
        """Return the rows by set (train or validation) and id; none if none were kept.

        Raises:
            RunFolderError: the file is damaged.
        """
        return self.folder.read_prompts()

    def rollouts(self) -> Iterator[tuple[int, list[Rollout]]]:
        """Yield each training step that kept its answers, and these.

        Raises:
            RehearsalError: a file is damaged.
        """
        return ((step, self.read_rollouts(step)) for step in self.folder.rollout_steps())

    def validations(self) -> Iterator[tuple[int, list[Rollout]]]:
        """Yield each step after which answers were validated, and these.

        Raises:
            RehearsalError: a file is damaged.
        """
        return ((step, self.read_validation(step)) for step in self.folder.validation_steps())

    def read_rollouts(self, step: int) -> list[Rollout]:
        """Return a training step's answers.

        Raises:
            RehearsalError: the file is damaged, or holds fewer than the step had.
        """
        known = (line.get("local_rollouts") for line in self.lines if line["step"] == step)
        found = self.folder.read_rollouts(step)
        return _all_of(found, next(known, None), where=self.folder.rollouts(step))

    def read_validation(self, step: int) -> list[Rollout]:
        """Return the answers validated after this many steps.

        Raises:
            RehearsalError: the file is damaged, or holds fewer than there are prompts.
        """
        known = (self.record.get("data") or {}).get("validation_prompts")
        found = self.folder.read_validation(step)
        return _all_of(found, known, where=self.folder.validation(step))

    # Measured

    def seconds(self, phase: str) -> list[float]:
        """Return the seconds of a phase (`grade`, `total`, ...) in each step that recorded it."""
        return [s for line in self.lines if (s := _seconds(line).get(phase)) is not None]

    def step_seconds(self) -> list[float]:
        """Return the seconds of each training step, validation left out."""
        found = [_seconds(line) for line in self.trained]
        return [s["total"] - s.get("validate", 0.0) for s in found if "total" in s]

    def mean(self, name: str) -> float | None:
        """Return the mean of a metric over the steps that have it; None where none has."""
        return mean(line[name] for line in self.lines if is_number(line.get(name)))

    def peak_memory_mb(self) -> float | None:
        """Return the largest peak of any step; None where none was recorded."""
        peaks = (line.get("local_peak_memory_mb") for line in self.trained)
        return max((peak for peak in peaks if peak is not None), default=None)

    def billed_seconds(self) -> list[float]:
        """Return what Lambda would bill for each invocation, failed ones too; none without a log.

        Raises:
            RunFolderError: grader.log can't be read.
        """
        return [seconds for seconds, _ in self._billed()]

    def billed_gb_seconds(self) -> float | None:
        """Return what Lambda would bill in all, in GB-seconds; None without a log.

        Raises:
            RunFolderError: grader.log can't be read.
        """
        billed = self._billed()
        return sum(seconds * mb / MB_PER_GB for seconds, mb in billed) if billed else None

    def _billed(self) -> list[tuple[float, int]]:
        """Return the seconds and the MB of each invocation."""
        log = self.folder.grader_log
        if not log.is_file():
            return []
        with files.named_errors(log, "read the grader's log"), log.open(encoding="utf-8") as lines:
            found = (_REPORT.match(line) for line in lines)
            return [(int(match[1]) * MILLISECOND, int(match[2])) for match in found if match]


def _value(resolved: Mapping[str, Any], section: str, name: str) -> Any:
    entry = (resolved.get(section) or {}).get(name)
    return entry.get("value") if isinstance(entry, dict) else None


def _seconds(line: Mapping[str, Any]) -> dict[str, float]:
    found = line.get("local_seconds")
    return found if isinstance(found, dict) else {}


def _mended(folder: RunFolder, remarks: list[str]) -> list[dict[str, Any]]:
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
    for name, shape in METRICS_INSIDE.items():
        if line.get(name) is not None and misfit(line[name], shape) is not None:
            foreign.append(name)
            remarks.append(f"metrics.jsonl, step {line['step']}: {name} is damaged and left out.")
    return {name: value for name, value in line.items() if name not in foreign}


def _all_of(rollouts: list[Rollout], count: float | None, *, where: Path) -> list[Rollout]:
    if count is not None and len(rollouts) < count:
        raise DataError(
            "answers are missing from the file",
            where=str(where),
            expected=f"{count:,.0f} answers",
            found=f"{len(rollouts):,}",
            hint="the file was cut; restore it, or leave it out by moving it away",
        )
    return rollouts


def _gaps(
    folder: RunFolder, record: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return what a run that went so far must have and does not."""
    known, answered = {line["step"] for line in lines}, folder.rollout_steps()
    # Answers are written first, so a run that was killed may have those of one step more.
    is_cut_off = record.get("status") in (IN_PROGRESS, STOPPING)
    last = max([*known, *(step - is_cut_off for step in answered)], default=0)
    if record.get("status") == COMPLETED and not record.get("early_stopping"):
        last = max(last, (record.get("steps") or {}).get("total") or 0)
    missing = {"metrics.jsonl lacks": _first_without(range(1, last + 1), known)}
    for room, metric, kept in (
        ("rollouts/", "critic_rewards_mean", answered),
        ("validation/", "validation_rewards_mean", folder.validation_steps()),
    ):
        if kept:
            due = sorted(line["step"] for line in lines if metric in line)
            missing[f"{room} lacks the answers of"] = _first_without(due, kept)
    return [f"{what} {_steps(steps)}." for what, steps in missing.items() if steps]


def _first_without(due: Iterable[int], known: Container[int]) -> list[int]:
    """Return the first steps that are due and not known: as many as are named, and one more."""
    return list(islice((step for step in due if step not in known), SHOWN + 1))


def _steps(steps: list[int]) -> str:
    named = ", ".join(map(str, steps[:SHOWN])) + (" ..." if len(steps) > SHOWN else "")
    return f"step{'s' if len(steps) > 1 else ''} {named}"
