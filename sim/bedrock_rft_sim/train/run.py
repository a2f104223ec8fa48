"""One rehearsal from recipe to run folder.

What it is not: it is not Bedrock's trainer (TRL's GRPO stands in), not its model, and not its
service; `bedrock_rft_sim.contract.ledger` says what differs, knob by knob.
"""

from __future__ import annotations

import datetime
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.contract import statuses
from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.fingerprint import rows_hash
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.diagnosis import Evidence, Finding, learning_signal, signal_record
from bedrock_rft_sim.diagnosis.finding import fired
from bedrock_rft_sim.diagnosis.model import diagnose_model
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import Device, choose_device
from bedrock_rft_sim.errors import RehearsalError, RunFolderError, TrainingError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.environment import confinement
from bedrock_rft_sim.grader.reward import path_hash, reward_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.recipe.trackers import demand_trackers
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.observer import Observe
from bedrock_rft_sim.train import provenance
from bedrock_rft_sim.train.early_stopping import demand_validation
from bedrock_rft_sim.train.interrupt import interruptible
from bedrock_rft_sim.train.record import Rehearsal
from bedrock_rft_sim.train.reward import preflight

if TYPE_CHECKING:
    from bedrock_rft_sim.train.trainer import RehearsalTrainer


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    folder: Path
    status: str
    """Bedrock's word: `Completed` or `Stopped`."""
    step: int
    total_steps: int
    signal: Finding
    """Whether the rewards carried a learning signal, in words."""
    first: dict[str, Any]
    """The first metrics line, of step 0."""
    last: dict[str, Any]
    """The last metrics line."""
    early_stopping: str | None = None
    """Why the run ended before its last step, in words; None where it did not."""

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON-ready data."""
        return {**asdict(self), "folder": str(self.folder), "signal": signal_record(self.signal)}


def _be_quiet(_line: str) -> None:
    """Say nothing."""


def rehearse(
    recipe: Recipe,
    *,
    parent: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
    observers: Sequence[Observe] = (),
) -> RunResult:
    """Run the recipe into `parent/name`; with `resume`, go on from its last checkpoint.

    The name is that of the recipe's job unless given. `say` gets what goes on, in words; each of
    `observers` makes an observer that gets every step.

    Raises:
        RehearsalError: once the run folder exists, after it has recorded the status `Failed`.
    """
    name, say = name or recipe.name, say or _be_quiet
    quiet.silence_for(recipe)
    say(f"{name}: reading {recipe.local.trainingData}")
    chat = load_chat_tokenizer(recipe.model)
    demand_trackers(recipe)
    data = plan.read_data(recipe, chat)
    for finding in fired(diagnose_model(recipe, data.train, chat)):
        say(f"{finding.severity}: {finding.words}")
    steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
    demand_validation(recipe, validates=bool(data.validation))
    device = choose_device(recipe.local.device, recipe.local.dtype)
    identity = _identity(recipe, data, steps, device)
    with _open_folder(Path(parent), name, identity, resume=resume) as folder:
        watching = [observe(folder) for observe in observers]
        rehearsal = Rehearsal(recipe, data, steps, folder, device, say, watching)
        last_checkpoint = _prepare(rehearsal, identity)
        with _final_status(rehearsal) as finish:
            finish(_train(rehearsal, last_checkpoint, say))
        return _result(folder, steps)


def _identity(recipe: Recipe, data: Data, steps: Steps, device: Device) -> dict[str, Any]:
    """Return what makes this run this run; the hashes must agree when it is resumed."""
    return {
        "recipe_hash": recipe.recipe_hash,
        "reward_hash": path_hash(recipe.reward_path),
        "data_hash": rows_hash([*data.train, *data.validation]),
        "git_revision": provenance.git_revision(recipe.folder),
        "versions": provenance.package_versions(),
        "seed": recipe.settings.seed,
        "device": asdict(device),
        "lambda_file_system": confinement(),
        "data": {
            "records": data.records,
            "train_prompts": len(data.train),
            "validation_prompts": len(data.validation),
            "dropped_too_long": [row.id for row in data.too_long],
        },
        "steps": asdict(steps),
    }


def _open_folder(parent: Path, name: str, identity: dict[str, Any], *, resume: bool) -> RunFolder:
    if not resume:
        return RunFolder.create(parent, name)
    folder = RunFolder.open(parent / name, write=True)
    record = folder.read_record()
    if record.get("status") == statuses.COMPLETED:
        folder.close()
        raise RunFolderError(
            "the run is already complete",
            where=str(folder.path),
            hint="leave --resume out and give the new run another --name",
        )
    for key in ("recipe_hash", "reward_hash", "data_hash"):
        if key in record and record[key] != identity[key]:
            folder.close()
            raise RunFolderError(
                f"the {key.removesuffix('_hash')} is not the one the run was started with",
                where=str(folder.record),
                expected=f"{key} {record[key]}",
                found=identity[key],
                hint="resume with the unchanged recipe, reward and data, or start a new run",
            )
    return folder


def _prepare(rehearsal: Rehearsal, identity: dict[str, Any]) -> int | None:
    """Write down what will run; return the checkpoint to go on from, None for the beginning."""
    folder, recipe = rehearsal.folder, rehearsal.recipe
    folder.drop_unfinished_checkpoints()
    last = max(folder.checkpoint_steps(), default=None)
    folder.truncate_after(-1 if last is None else last)
    started = folder.read_record().get("started")
    folder.write_record(
        **identity,
        status=statuses.IN_PROGRESS,
        error=None,
        started=started or _now(),
        ended=None,
        resumed_from_step=last,
    )
    folder.write_prompts(rehearsal.data.train, rehearsal.data.validation)
    folder.write_recipe(recipe.text, resolved=recipe.resolved(), request=_request(recipe))
    event = "Job started" if started is None else f"Job resumed after step {last or 0}"
    folder.append_event(message_event(event))
    dropped = _dropped(rehearsal)
    if started is None and dropped is not None:
        folder.append_event(message_event(dropped, level="warn"))
    return last


def _dropped(rehearsal: Rehearsal) -> str | None:
    """Say which training prompts are too long; None where none is."""
    settings, lengths = rehearsal.recipe.settings, rehearsal.data.prompt_tokens
    count = sum(length > settings.max_prompt_length for length in lengths)
    return plan.dropped_words(settings, count, len(lengths)) if count else None


def _request(recipe: Recipe) -> dict[str, Any]:
    payload = recipe.payload()
    if payload is not None:
        return payload
    return {
        "refused": "Bedrock would refuse this request, so there is none to send",
        "findings": [str(finding) for finding in recipe.refusals],
    }


@contextmanager
def _final_status(rehearsal: Rehearsal) -> Iterator[Callable[[str], None]]:
    """Write how the run ended, whatever ended it."""
    folder = rehearsal.folder

    def finish(status: str, error: str | None = None) -> None:
        lines = folder.read_metrics()
        signal = signal_record(learning_signal(Evidence(lines)))
        folder.write_record(status=status, error=error, ended=_now(), learning_signal=signal)
        for words in _warnings(lines, signal) if status == statuses.COMPLETED else []:
            folder.append_event(message_event(words, level="warn"))
        for each in rehearsal.observers:
            each.ended()
        level: Any = "error" if status == statuses.FAILED else "info"
        words = f"Job {status.lower()}" + (f": {error.splitlines()[0]}" if error else "")
        folder.append_event(message_event(words, level=level))

    try:
        yield finish
    except KeyboardInterrupt:
        finish(statuses.STOPPED)
        raise
    except RunFolderError as error:
        # The disk refuses; what it holds already is the record, so try the status and no more.
        with suppress(RunFolderError):
            folder.write_record(status=statuses.FAILED, error=str(error), ended=_now())
        raise
    except RehearsalError as error:
        finish(statuses.FAILED, str(error))
        raise
    except Exception:
        finish(statuses.FAILED, traceback.format_exc())
        raise


def _warnings(lines: Sequence[dict[str, Any]], signal: dict[str, Any]) -> list[str]:
    """Say what a run that completed did badly, for whoever looks at its status alone."""
    found = [] if signal["ok"] else [signal["words"]]
    errors: Counter[str] = Counter()
    for line in lines:
        errors.update(line.get("local_grader_errors") or {})
    if errors:
        kinds = ", ".join(f"{count:,} {name}" for name, count in errors.most_common())
        found.append(f"Calls of the reward failed and were repeated: {kinds}")
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _train(rehearsal: Rehearsal, last_checkpoint: int | None, say: Callable[[str], None]) -> str:
    """Train to the end or to the user's stop; return the final status."""
    recipe, folder, total = rehearsal.recipe, rehearsal.folder, rehearsal.steps.total
    with (
        Grader(reward_of(recipe), log=folder.grader_log) as grader,
        interruptible(say) as interrupt,
    ):
        remark = preflight(grader, rehearsal.data.train)
        if remark is not None:
            say(f"warning: {remark}")
            if last_checkpoint is None:
                folder.append_event(message_event(remark, level="warn"))
        say(f"loading {recipe.local.model} on {rehearsal.device.type}")
        from bedrock_rft_sim.train.build import build_trainer

        trainer = build_trainer(rehearsal, grader, interrupt)
        if last_checkpoint is None:
            trainer.start()
        _run_trainer(trainer, rehearsal, last_checkpoint)
        stop = rehearsal.early_stop()
        if stop is not None and stop.step < total:
            folder.write_record(early_stopping=asdict(stop))
            folder.append_event(message_event(f"Job ends by {stop.reason}", level="warn"))
            say(stop.reason)
            return statuses.COMPLETED
        unfinished = folder.read_metrics()[-1]["step"] < total
        return statuses.STOPPED if interrupt.requested and unfinished else statuses.COMPLETED


def _run_trainer(
    trainer: RehearsalTrainer, rehearsal: Rehearsal, last_checkpoint: int | None
) -> None:
    folder = rehearsal.folder
    path = None if last_checkpoint is None else str(folder.checkpoint(last_checkpoint))
    with _named_errors(rehearsal):
        ended = last_checkpoint == rehearsal.steps.total or rehearsal.early_stop() is not None
        if path is not None and ended:
            trainer.load_weights(path)  # killed between the last checkpoint and the end
        else:
            trainer.train(resume_from_checkpoint=path)
        trainer.save_model(str(folder.model))


@contextmanager
def _named_errors(rehearsal: Rehearsal) -> Iterator[None]:
    """Turn what the machine may refuse during training into one message."""
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except RehearsalError:
        raise
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the device ran out of memory",
            where=rehearsal.device.name,
            found=str(error).splitlines()[0],
            hint="lower batchSize, trainingSamplePerPrompt or inferenceMaxTokens "
            "under local.overrides",
        ) from error
    except (OSError, SafetensorError) as error:
        raise RunFolderError(
            "a checkpoint or the model can't be written",
            where=str(rehearsal.folder.path),
            found=str(error),
            hint="make room on the disk, then go on with --resume",
        ) from error


def _result(folder: RunFolder, steps: Steps) -> RunResult:
    lines = folder.read_metrics()
    return RunResult(
        folder=folder.path,
        status=folder.read_record()["status"],
        step=lines[-1]["step"],
        total_steps=steps.total,
        signal=learning_signal(Evidence(lines)),
        first=lines[0],
        last=lines[-1],
        early_stopping=folder.read_record().get("early_stopping", {}).get("reason"),
    )
