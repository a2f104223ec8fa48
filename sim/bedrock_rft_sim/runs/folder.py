"""One run's folder: create it, append to it, accept checkpoints, cut it back to one, read it.

It computes nothing and keeps no time: what is written comes from its caller. A file is appended
line by line or replaced whole, so the folder can be read, and the run killed, at any instant.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bedrock_rft_sim import files
from bedrock_rft_sim.contract.statuses import IN_PROGRESS
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.runs import shapes
from bedrock_rft_sim.runs.checkpoints import MANIFEST, damage, damage_without_manifest, seal
from bedrock_rft_sim.runs.metrics.translate import nova_csv_row
from bedrock_rft_sim.runs.prompts import from_lines, to_lines
from bedrock_rft_sim.runs.rollouts import Rollout, from_line, to_line

SCHEMA_VERSION = 1
"""Of run.json and of the folder as a whole."""

RECORD = "run.json"
LOCK = ".lock"
SEALED = "checkpoints_have_manifests"
"""In run.json of a run whose every checkpoint has one."""
UNSEALED = (
    "The checkpoint of step {step} has no manifest, as version 0.1 wrote them: it was taken, and "
    "that each of its bytes is right can't be checked."
)
LATEST = "latest"
"""A link beside the runs, to the one that was started last."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STEP = re.compile(r"step-(\d+)(?:\.jsonl)?")


class RunFolder:
    """A run's files; holds the lock from `create` or `open(write=True)` until `close`."""

    def __init__(self, path: Path, lock: files.Lock | None = None) -> None:
        self.path, self.name = path, path.name
        self._lock = lock
        self.record = path / RECORD
        """What ran, on what, and how it ended."""
        self.recipe = path / "recipe.yaml"
        """The recipe as written."""
        self.resolved = path / "recipe.resolved.json"
        """The recipe as understood, with assumed marks."""
        self.request = path / "request.json"
        """The payload for Bedrock, or why there is none."""
        self.prompts = path / "prompts.jsonl"
        """The prompts and references, as graded."""
        self.metrics = path / "metrics.jsonl"
        """One line per step under the inner names."""
        self.events = path / "events.jsonl"
        """Job events exactly as bedrock-mantle sends them."""
        self.nova_csv = path / "step_wise_training_metrics.csv"
        """The training metrics in Nova's columns."""
        self.trainer_log = path / "trainer.jsonl"
        """TRL's own log, untouched."""
        self.grader_log = path / "grader.log"
        """What the handler printed, and REPORT lines."""
        self.grader_times = path / "grader.times"
        """When each invocation began and ended."""
        self.checkpoints = path / "checkpoints"
        """The folder of the checkpoints."""
        self.model = path / "model"
        """The trained model."""
        self.unfinished_model = path / ".model.tmp"
        """Where the trainer writes it before it is accepted."""
        self.tensorboard = path / "tensorboard"
        """What TensorBoard reads, where the recipe asks for it."""
        self.report = path / "report.html"
        """The run on one page."""

    @classmethod
    def create(cls, parent: str | Path, name: str) -> RunFolder:
        """Make `parent/name` and lock it.

        Raises:
            RunFolderError: the name is taken or can't be a folder's, or the disk refuses.
        """
        path = Path(parent) / _checked(name)
        with files.named_errors(path, "create the run folder"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                if not _is_unbegun(path):
                    raise _taken(path) from None
            folder = cls(path, _locked(path))
        folder._begin()
        return folder

    @classmethod
    def open(cls, path: str | Path, *, write: bool = False) -> RunFolder:
        """Open an existing run to read it, or with `write` to go on with it, locked.

        Raises:
            RunFolderError: it is no run folder, or another process is writing to it.
        """
        folder = cls(Path(path), None)
        if not is_run(folder.path):
            raise no_run(folder.path)
        folder.read_record()
        if write:
            folder._lock = _locked(folder.path)
            folder._sweep()
            folder._become_latest()
        return folder

    def close(self) -> None:
        """Give the lock back; reading stays possible."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Where the files of a step are

    def checkpoint(self, step: int) -> Path:
        """Return the folder of one step's checkpoint."""
        return self.checkpoints / f"step-{step:06d}"

    def rollouts(self, step: int) -> Path:
        """Return the file of one training step's rollouts."""
        return self.path / "rollouts" / f"step-{step:06d}.jsonl"

    def validation(self, step: int) -> Path:
        """Return the file of the rollouts validated after this many steps."""
        return self.path / "validation" / f"step-{step:06d}.jsonl"

    # Writing

    def write_record(self, **fields: object) -> None:
        """Set fields of run.json; the others stay."""
        known = files.read_json(self.record) if is_run(self.path) else {}
        text = files.dump({**known, **fields}, indent=2) + "\n"
        self._write(self.record, text, "write the run record")

    def write_recipe(
        self, text: str, *, resolved: Mapping[str, Any], request: Mapping[str, Any]
    ) -> None:
        """Keep the recipe as written, as understood, and as Bedrock would get it."""
        self._write(self.recipe, text, "write the recipe")
        self._write(self.resolved, files.dump(resolved, indent=2) + "\n", "write the recipe")
        self._write(self.request, files.dump(request, indent=2) + "\n", "write the request")

    def write_report(self, html: str) -> None:
        """Write the page about the run."""
        self._write(self.report, html, "write the report")

    def write_prompts(self, train: Iterable[Row], validation: Iterable[Row]) -> None:
        """Keep what the run trains on and validates with; the same rows give the same bytes."""
        parts = [*to_lines("train", train), *to_lines("validation", validation)]
        self._write(self.prompts, "".join(parts), "write the prompts", durable=False)

    def append_metrics(self, values: Mapping[str, Any]) -> None:
        """Append a step's metrics; once the line is there, the step is complete."""
        self._append(self.metrics, files.dump(values), step=values.get("step"))

    def append_csv(self, row: Mapping[str, Any]) -> None:
        """Append a training step to Nova's CSV, under a header if it is the first."""
        text = _csv([row], header=not self.nova_csv.exists())
        self._append(self.nova_csv, text, step=row.get("step_number"))

    def second_opinion_log(self, name: str) -> Path:
        """Name the log of a reward that is not trained on."""
        return self.path / f"grader-{name}.log"

    def append_event(self, event: Mapping[str, Any]) -> None:
        """Append a job event."""
        self._append(self.events, files.dump(event), step=_step_of(event))

    def append_trainer_log(self, values: Mapping[str, Any]) -> None:
        """Append what TRL logged; give it a `step` so that a resume can cut it back."""
        self._append(self.trainer_log, files.dump(values), step=values.get("step"))

    def write_rollouts(self, step: int, rollouts: Iterable[Rollout]) -> None:
        """Write a training step's rollouts, all or none."""
        self._write_rollouts(self.rollouts(step), rollouts, step=step)

    def write_validation(self, step: int, rollouts: Iterable[Rollout]) -> None:
        """Write the rollouts validated after this many steps, all or none."""
        self._write_rollouts(self.validation(step), rollouts, step=step)

    def unfinished_checkpoint(self, updates: int) -> Path:
        """Return where the trainer writes a checkpoint before it is accepted."""
        return self.checkpoints / f"checkpoint-{updates}"

    def accept_checkpoint(self, step: int, *, updates_per_step: int = 1) -> None:
        """Give a completely written checkpoint its manifest, then its name.

        One without the name is never resumed from.
        """
        self._assert_ours()
        with files.named_errors(self.checkpoint(step), "accept the checkpoint", step=step):
            written = self.unfinished_checkpoint(step * updates_per_step)
            seal(written)
            written.replace(self.checkpoint(step))

    def accept_model(self) -> None:
        """Give the completely written model its name."""
        self._assert_ours()
        with files.named_errors(self.model, "accept the model"):
            if self.model.exists():
                shutil.rmtree(self.model)
            files.as_new_files(self.unfinished_model)
            self.unfinished_model.replace(self.model)

    def drop_last_event(self) -> None:
        """Take the last event back."""
        text = "".join(files.dump(event) + "\n" for event in self.read_events()[:-1])
        self._write(self.events, text, "take back an event")

    def drop_unfinished_checkpoints(self) -> None:
        """Remove what a kill left half written."""
        self._assert_ours()
        with files.named_errors(self.checkpoints, "remove unfinished checkpoints"):
            for left in self.checkpoints.glob("checkpoint-*"):
                shutil.rmtree(left)

    def truncate_after(self, step: int) -> None:
        """Forget every step after this one, and lines torn by a kill, so that a resume goes on.

        Raises:
            RunFolderError: what stays is damaged; nothing was forgotten.
        """
        self._assert_ours()
        for number, line in enumerate(self.read_metrics(), start=1):
            if _happened_by(step, line):
                shapes.demand(line, shapes.METRICS, where=f"{self.metrics}:{number}")
        with files.named_errors(self.path, "cut the run back", step=step):
            for path in (self.events, self.trainer_log):
                files.keep_lines(path, lambda value: _happened_by(step, value))
            kept = files.keep_lines(self.metrics, lambda value: _happened_by(step, value))
            self._rewrite_csv(kept)
            for room in ("rollouts", "validation", "checkpoints"):
                _remove_after(self.path / room, step)

    # Reading

    def read_record(self) -> dict[str, Any]:
        """Return run.json.

        Raises:
            RunFolderError: it is damaged, or a later version wrote it.
        """
        record = files.read_json(self.record)
        if record.get("schema_version") != SCHEMA_VERSION:
            raise RunFolderError(
                "the run was written by another version",
                where=str(self.record),
                expected=f"schema_version {SCHEMA_VERSION}",
                found=repr(record.get("schema_version")),
                hint="read it with the version of bedrock-rft-sim that wrote it",
            )
        shapes.demand(record, shapes.RECORD, where=self.record)
        return record

    def read_resolved(self) -> dict[str, Any]:
        """Return the recipe as understood.

        Raises:
            RunFolderError: the file is damaged.
        """
        resolved = files.read_json(self.resolved)
        shapes.demand(resolved, shapes.RESOLVED, where=self.resolved)
        return resolved

    def read_prompts(self) -> dict[tuple[str, str], Row]:
        """Return the rows by set (train or validation) and id; none if none were kept.

        Raises:
            RunFolderError: the file is damaged.
        """
        return from_lines(_fitting(self.prompts, shapes.PROMPT), source=self.prompts)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the metric lines; a torn last one is left out."""
        return files.read_json_lines(self.metrics)

    def read_events(self) -> list[dict[str, Any]]:
        """Return the job events; a torn last one is left out.

        Raises:
            RunFolderError: the file is damaged.
        """
        return _fitting(self.events, shapes.EVENT)

    def last_message(self) -> str:
        """Return the words of the last event; none without events."""
        events = self.read_events()
        return str(events[-1].get("message")) if events else ""

    def read_rollouts(self, step: int) -> list[Rollout]:
        """Return a training step's rollouts."""
        return _read_rollouts(self.rollouts(step))

    def read_validation(self, step: int) -> list[Rollout]:
        """Return the rollouts validated after this many steps."""
        return _read_rollouts(self.validation(step))

    def rollout_steps(self) -> list[int]:
        """Return the training steps whose rollouts are there, in order."""
        return sorted(_steps_in(self.path / "rollouts"))

    def validation_steps(self) -> list[int]:
        """Return the steps after which a validation is there, in order."""
        return sorted(_steps_in(self.path / "validation"))

    def checkpoint_steps(self) -> list[int]:
        """Return the steps that have a complete checkpoint, in order."""
        return sorted(_steps_in(self.checkpoints))

    def whole_checkpoint(self) -> tuple[int | None, list[str]]:
        """Return the step of the newest whole checkpoint, and what is wrong with newer ones.

        None, where none was ever saved.

        Raises:
            RunFolderError: checkpoints were saved and none is whole.
        """
        # A checkpoint of version 0.1 has no manifest; one of a run that began here always has.
        sealed = self.read_record().get(SEALED) is True
        remarks = []
        for step in sorted({*self.checkpoint_steps(), *self._saved_steps()}, reverse=True):
            path = self.checkpoint(step)
            unsealed = not sealed and path.is_dir() and not os.path.lexists(path / MANIFEST)
            found = damage_without_manifest(path) if unsealed else damage(path)
            if found is None:
                if unsealed:
                    remarks.append(UNSEALED.format(step=step))
                return step, remarks
            remarks.append(f"The checkpoint of step {step} is damaged: {found}.")
        if remarks:
            raise RunFolderError(
                "no checkpoint of this run is whole",
                where=str(self.checkpoints),
                expected="one that is as it was written",
                found=" ".join(remarks),
                hint="put the files back, or start the run anew under another name",
            )
        return None, []

    def _saved_steps(self) -> set[int]:
        found = (_step_of(event) for event in self.read_events() if event.get("type") == "message")
        return {step for step in found if step is not None}

    # How

    def _begin(self) -> None:
        first = {"schema_version": SCHEMA_VERSION, "name": self.name, "status": IN_PROGRESS}
        try:
            self.write_record(**first, **{SEALED: True})
        except RunFolderError:  # nothing ran yet, so leave no name taken by nothing
            self.close()
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        self._become_latest()

    def _sweep(self) -> None:
        for folder in (self.path, self.path / "rollouts", self.path / "validation"):
            files.sweep(folder)

    def _assert_ours(self) -> None:
        assert self._lock is not None, "opened to read only"

    def _append(self, path: Path, line: str, *, step: int | None) -> None:
        self._assert_ours()
        with files.named_errors(path, "append to the file", step=step):
            files.append_line(path, line)

    def _write_rollouts(self, path: Path, rollouts: Iterable[Rollout], *, step: int) -> None:
        self._assert_ours()
        text = "".join(to_line(rollout) + "\n" for rollout in rollouts)
        with files.named_errors(path, "write the rollouts", step=step):
            path.parent.mkdir(exist_ok=True)
            files.replace_file(path, text.encode(), durable=False)

    def _write(self, path: Path, text: str, doing: str, *, durable: bool = True) -> None:
        self._assert_ours()
        files.write_file(path, text, doing, durable=durable)

    def _rewrite_csv(self, lines: Sequence[Mapping[str, Any]]) -> None:
        # A line without a training reward is the validation before the first step.
        trained = [line for line in lines if "critic_rewards_mean" in line]
        if trained:
            text = _csv([nova_csv_row(line) for line in trained], header=True) + "\n"
            files.replace_file(self.nova_csv, text.encode())
        else:
            self.nova_csv.unlink(missing_ok=True)

    def _become_latest(self) -> None:
        link = self.path.parent / LATEST
        if link.exists() and not link.is_symlink():
            return  # something of the user's
        temporary = link.with_name(f".{LATEST}.{self.name}")
        # A convenience only: some disks and systems know no links.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(self.name, target_is_directory=True)
            temporary.replace(link)


def is_run(path: Path) -> bool:
    """Whether a run lies there."""
    return (path / RECORD).is_file()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of the run that lies there."""
    try:
        return files.is_held(path / LOCK)
    except OSError:
        return False  # whoever writes there next will say what is wrong


def remove_unbegun(path: Path) -> None:
    """Remove what a kill left of a run before its record was written; anything else stays."""
    if _is_unbegun(path):
        shutil.rmtree(path)


def remove_run(path: Path) -> None:
    """Remove a run with all its files; `latest` then leads to the run that is left and newest.

    Raises:
        RunFolderError: no run lies there, a process is writing to it, or the disk refuses.
    """
    if not is_run(path):
        raise no_run(path)
    link, leaving = path.parent / LATEST, path.with_name(f".{path.name}.removed")
    was_latest = link.is_symlink() and link.resolve() == path.resolve()
    lock = _locked(path)
    try:
        with files.named_errors(path, "remove the run"):
            path.replace(leaving)  # so that no half of a run is ever found
            shutil.rmtree(leaving)
            if was_latest:
                link.unlink()
    finally:
        lock.release()
    if was_latest and (newest := newest_run(path.parent)) is not None:
        RunFolder(newest)._become_latest()


def newest_run(parent: Path) -> Path | None:
    """Return the run in the folder whose record was written last; None where there is none."""
    there = [each.parent for each in parent.glob(f"*/{RECORD}") if each.parent.name[0] != "."]
    return max(there, key=lambda each: (each / RECORD).stat().st_mtime, default=None)


def _is_unbegun(path: Path) -> bool:
    is_there = path.is_dir() and not path.is_symlink()
    return is_there and {each.name for each in path.iterdir()} <= {LOCK, f".{RECORD}.tmp"}


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) and name != LATEST:
        return name
    raise RunFolderError(
        "the run's name can't be a folder's name",
        expected="letters, digits, '.', '_' and '-', starting with a letter or digit; not 'latest'",
        found=repr(name),
        hint="choose another name",
    )


def _taken(path: Path) -> RunFolderError:
    found_run = is_run(path)
    return RunFolderError(
        "a run of this name is already there" if found_run else "something else has the run's name",
        where=str(path),
        hint=("go on with it by --resume, or " if found_run else "move it away, or ")
        + "choose another name or another --out",
    )


def no_run(path: Path) -> RunFolderError:
    """Return the error that no run lies there."""
    return RunFolderError(
        "there is no run here",
        where=str(path),
        expected="a run folder with run.json",
        found="a folder without run.json" if path.is_dir() else "no such folder",
        hint="check the path, or start a new run without --resume",
    )


def _locked(path: Path) -> files.Lock:
    try:
        with files.named_errors(path / LOCK, "lock the run"):
            return files.Lock(path / LOCK)
    except RunFolderError as error:
        if not isinstance(error.__cause__, files.BUSY):
            raise
        raise RunFolderError(
            "another process is writing to this run",
            where=str(path),
            hint="wait until it ends or stop it, then use --resume",
        ) from error


def _step_of(value: Mapping[str, Any]) -> int | None:
    data = value.get("data")
    inside = data.get("step") if isinstance(data, Mapping) else None
    step = value.get("step", inside)
    return step if isinstance(step, int) else None


def _happened_by(step: int, value: Mapping[str, Any]) -> bool:
    found = _step_of(value)
    return found is None or found <= step  # a line of no step, such as "Job started", stays


def _csv(rows: Sequence[Mapping[str, Any]], *, header: bool) -> str:
    """Return CSV text without the last newline; an unknown value is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().removesuffix("\n")


def _fitting(path: Path, shape: Any) -> list[dict[str, Any]]:
    lines = files.read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        shapes.demand(line, shape, where=f"{path}:{number}")
    return lines


def _read_rollouts(path: Path) -> list[Rollout]:
    with files.named_errors(path, "read the rollouts"):
        lines = files.read_bytes(path).decode().splitlines()
    if not lines:
        raise DataError("the file of answers is empty", where=str(path), expected="answers")
    return [from_line(line, where=f"{path}:{n}") for n, line in enumerate(lines, start=1)]


def _steps_in(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    found = ((_STEP.fullmatch(path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in found if match}


def _remove_after(folder: Path, step: int) -> None:
    for path in (path for found, path in _steps_in(folder).items() if found > step):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
