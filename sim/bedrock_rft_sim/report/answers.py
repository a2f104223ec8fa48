"""All the answers of a run, step by step, each step read once however often the page is written.

Nothing but the packed steps stays in memory, and those stay within the page's budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from bedrock_rft_sim import files
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.report.batches import BUDGET_BYTES, PackedStep, pack
from bedrock_rft_sim.report.events import EventForm
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout

Read = Callable[[int], list[Rollout]]

TRAIN, VALIDATION = "train", "validation"
SMALLEST_ALLOWANCE = 4_000


class Answers:
    """Packs the steps of one run folder and remembers them until their file changes."""

    def __init__(self, folder: RunFolder, *, budget: int = BUDGET_BYTES) -> None:
        self._folder = folder
        self._budget = budget
        self._packed: dict[Path, tuple[tuple[int, int], PackedStep]] = {}
        self._rows: Mapping[tuple[str, str], Row] | None = None
        self._allowance = 0

    def read(self, run: Run) -> tuple[list[PackedStep], list[str]]:
        """Return every complete step's answers, and what could not be read."""
        if self._rows is None:
            self._rows = self._folder.read_prompts()
        remarks: list[str] = []
        name = self._folder.prompts.name
        if not self._rows and run.lines:
            remarks.append(f"{name} is missing, so answers are shown without their prompts.")
        elif len(self._rows) < _prompts(run):
            remarks.append(f"{name} holds {len(self._rows):,} of {_prompts(run):,} prompts.")
        allowance = max(SMALLEST_ALLOWANCE, self._budget // max(1, _expected(run)))
        if allowance != self._allowance:
            self._allowance = allowance
            self._packed.clear()
        packing = partial(pack, rows=self._rows, form=EventForm.of(run), allowance=allowance)
        batches = []
        for kind, step, path, read in self._files(run):
            try:
                batches.append(self._batch(path, step, read, partial(packing, kind)))
            except RehearsalError as error:
                place = Path(error.where or path).name
                remarks.append(f"The answers of {path.name} are left out: {error.what} ({place}).")
        return batches, remarks

    def _files(self, run: Run) -> Iterator[tuple[str, int, Path, Read]]:
        # A step counts once its metric line is there.
        folder, known = self._folder, {line["step"] for line in run.lines}
        for step in folder.rollout_steps():
            if step in known:
                yield TRAIN, step, folder.rollouts(step), run.read_rollouts
        for step in folder.validation_steps():
            if step in known:
                yield VALIDATION, step, folder.validation(step), run.read_validation

    def _batch(
        self, path: Path, step: int, read: Read, packing: Callable[[int, list[Rollout]], PackedStep]
    ) -> PackedStep:
        with files.named_errors(path, "read the answers"):
            status = path.stat()
        mark = (status.st_mtime_ns, status.st_size)
        known = self._packed.get(path)
        if known is None or known[0] != mark:
            known = self._packed[path] = mark, packing(step, read(step))
        return known[1]


def _prompts(run: Run) -> int:
    data = run.record.get("data") or {}
    return (data.get("train_prompts") or 0) + (data.get("validation_prompts") or 0)


def _expected(run: Run) -> int:
    """Return how many steps' answers the finished run will have, so that shares stay the same."""
    steps = run.record.get("steps") or {}
    planned = int(steps.get("total") or 0) + len(steps.get("validations") or ())
    return max(planned, len(run.lines))
