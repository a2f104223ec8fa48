"""All the answers of a run, step by step, each step read once however often the page is written.

Nothing but the packed steps stays in memory, and those stay within the page's budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.report.batches import BUDGET_BYTES, PackedStep, pack
from bedrock_rft_sim.report.events import EventForm
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout

TRAIN, VALIDATION = "train", "validation"
SMALLEST_ALLOWANCE = 4_000


class Answers:
    """Packs the steps of one run folder and remembers them until their file changes."""

    def __init__(self, folder: RunFolder, *, budget: int = BUDGET_BYTES) -> None:
        self._folder = folder
        self._budget = budget
        self._packed: dict[Path, tuple[tuple[int, int], PackedStep]] = {}
        self._rows: Mapping[tuple[str, str], Row] | None = None
        self._form: EventForm | None = None
        self._allowance = 0

    def read(self, run: Run) -> tuple[list[PackedStep], list[str]]:
        """Return every complete step's answers, and what could not be read."""
        remarks: list[str] = []
        self._prepare(run, remarks)
        batches = []
        for kind, step, path in self._files(run):
            try:
                batches.append(self._batch(kind, step, path))
            except RehearsalError as error:
                place = Path(error.where or path).name
                remarks.append(f"The answers of {path.name} are left out: {error.what} ({place}).")
        return batches, remarks

    def _prepare(self, run: Run, remarks: list[str]) -> None:
        if self._rows is None:
            self._rows = self._folder.read_prompts()
            self._form = EventForm(
                profile=run.local("payloadProfile") or DEFAULT_PROFILE,
                wrap_string_as_text=bool(run.local("wrapStringAsText")),
            )
        if not self._rows and run.lines:
            name = self._folder.prompts.name
            remarks.append(f"{name} is missing, so answers are shown without their prompts.")
        allowance = max(SMALLEST_ALLOWANCE, self._budget // max(1, _expected(run)))
        if allowance != self._allowance:
            self._allowance = allowance
            self._packed.clear()

    def _files(self, run: Run) -> Iterator[tuple[str, int, Path]]:
        # A step counts once its metric line is there.
        known = {line["step"] for line in run.lines}
        for step in self._folder.rollout_steps():
            if step in known:
                yield TRAIN, step, self._folder.rollouts(step)
        for step in self._folder.validation_steps():
            if step in known:
                yield VALIDATION, step, self._folder.validation(step)

    def _batch(self, kind: str, step: int, path: Path) -> PackedStep:
        status = path.stat()
        mark = (status.st_mtime_ns, status.st_size)
        known = self._packed.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        assert self._rows is not None
        assert self._form is not None
        rollouts = self._rollouts(kind, step)
        batch = pack(kind, step, rollouts, self._rows, self._form, allowance=self._allowance)
        self._packed[path] = mark, batch
        return batch

    def _rollouts(self, kind: str, step: int) -> list[Rollout]:
        if kind == TRAIN:
            return self._folder.read_rollouts(step)
        return self._folder.read_validation(step)


def _expected(run: Run) -> int:
    """Return how many steps' answers the finished run will have, so that shares stay the same."""
    steps = run.record.get("steps") or {}
    planned = int(steps.get("total") or 0) + len(steps.get("validations") or ())
    return max(planned, len(run.lines))
