"""One rehearsal from recipe to run folder.

What it is not: it is not Bedrock's trainer (TRL's GRPO stands in), not its model, and not its
service; `bedrock_rft_sim.contract.ledger` says what differs, knob by knob.
"""

from __future__ import annotations

import datetime
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.contract import statuses
from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.fingerprint import rows_hash
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.diagnosis import Evidence, Finding, learning_signal, signal_record
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, fired
from bedrock_rft_sim.diagnosis.grading import grader_errors
from bedrock_rft_sim.diagnosis.model import diagnose_model
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import MEGABYTE, Device, choose_device, is_cuda
from bedrock_rft_sim.engine.memory import keep_freed_memory
from bedrock_rft_sim.errors import (
    SECRET_NAME,
    RehearsalError,
    RunFolderError,
    TrainingError,
)
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, MAIN_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.here import Spread, memory
from bedrock_rft_sim.estimate.judge import asks_a_judge
from bedrock_rft_sim.estimate.model_size import model_size
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.audit.floor import floor_within
from bedrock_rft_sim.grader.environment import confinement
from bedrock_rft_sim.grader.reward import path_hash, reward_of
from bedrock_rft_sim.grader.second_opinions import (
    NO_SECOND_OPINIONS,
    SecondOpinions,
    open_second_opinions,
)
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.recipe.extras import demand_extras
from bedrock_rft_sim.recipe.shown import shown_table
from bedrock_rft_sim.recipe.trackers import demand_trackers
from bedrock_rft_sim.runs import Run, RunFolder, is_run
from bedrock_rft_sim.runs.observer import Doing, Observe, Stage
from bedrock_rft_sim.train import provenance
from bedrock_rft_sim.train.early_stopping import demand_validation
from bedrock_rft_sim.train.interrupt import SAME_S, Interrupt, interruptible
from bedrock_rft_sim.train.record import Rehearsal, tell_nobody
from bedrock_rft_sim.train.reward import preflight
from bedrock_rft_sim.train.trackers import start_trackers
from bedrock_rft_sim.train.world import World, demand_launcher, demand_served, joined

if TYPE_CHECKING:
    from bedrock_rft_sim.train.trainer import RehearsalTrainer


FLOOR_S: Final = 10
"""What a run spends at most, about, on the floor of its reward."""
APPEARS_S: Final = 10.0
"""After which a run folder that another machine made is not on a shared disk."""
TORCH_WRITER: Final = "inline_container"
"""Where torch.save fails on a full disk; its RuntimeError hides what the system said."""
HELD: Final = {
    "recipe_hash": "recipe", "reward_hash": "reward", "second_opinions": "second opinion",
    "data_hash": "data",
}  # fmt: skip
"""Keys of the record that a resumed run must share with the one that was started, by what they
name."""
ENDED: Final = tuple(
    f"Job {status.lower()}" for status in (statuses.COMPLETED, statuses.STOPPED, statuses.FAILED)
)
"""How the last event of a run that ended begins."""


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
    """The first metrics line, of step 0; empty where all were lost."""
    last: dict[str, Any]
    """The last metrics line."""
    early_stopping: str | None = None
    """Why the run ended before its last step, in words; None where it did not."""
    remarks: tuple[str, ...] = ()
    """What was found damaged on the way, and what was taken instead."""

    @property
    def words(self) -> str:
        """How it ended, and after which step."""
        return f"{self.status} after step {self.step} of {self.total_steps}: {self.folder}"

    def __repr__(self) -> str:
        """Say how it ended."""
        return f"<RunResult {self.words}>"

    def _repr_html_(self) -> str:
        """Return how it ended, for a notebook."""
        rows = [("signal", self.signal.words), ("page", self.page)]
        rows += [("remark", each) for each in (self.early_stopping, *self.remarks) if each]
        return shown_table(self.words, rows)

    @property
    def page(self) -> Path:
        """Where the run's page is."""
        return RunFolder(self.folder).report

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON-ready data."""
        paths = {"folder": str(self.folder), "page": str(self.page)}
        return {**asdict(self), **paths, "signal": signal_record(self.signal)}


def _be_quiet(_line: str) -> None:
    """Say nothing."""


def rehearse(
    recipe: Recipe,
    *,
    parent: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
    doing: Doing | None = None,
    observers: Sequence[Observe] = (),
) -> RunResult:
    """Run the recipe into `parent/name`; with `resume`, go on from its last checkpoint.

    The name is that of the recipe's job unless given. `say` gets what happens, in words, `doing`
    what goes on and how far it is; each of `observers` makes an observer that gets every step.

    Raises:
        RehearsalError: once the run folder exists, after it has recorded the status `Failed`.
    """
    name, say, doing = name or recipe.name, say or _be_quiet, doing or tell_nobody
    demand_launcher()
    quiet.silence_for(recipe)
    with joined(recipe.local.device) as world:
        if not world.is_main:
            say, doing, observers = _be_quiet, tell_nobody, ()
        demand_served(recipe, world)
        doing(Stage(f"reading {recipe.local.trainingData}"))
        say(f"{name}: reading {recipe.local.trainingData}")
        chat = load_chat_tokenizer(recipe.model)
        demand_trackers(recipe)
        demand_extras(recipe)
        data = plan.read_data(recipe, chat)
        for finding in fired(diagnose_model(recipe, data.train, chat)):
            say(f"{finding.severity}: {finding.words}")
        steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
        demand_validation(recipe, validates=bool(data.validation))
        device = choose_device(recipe.local.device, recipe.local.dtype)
        if device.type == "cpu":
            keep_freed_memory()
        identity = _identity(recipe, data, steps, device, world)
        world.demand_alike({words: identity[key] for key, words in HELD.items()})
        with _open_folder(Path(parent), name, recipe, identity, world, resume=resume) as folder:
            watching = [observe(folder) for observe in observers]
            rehearsal = Rehearsal(
                recipe, data, steps, folder, device, say, watching, doing, world=world
            )
            return _run(rehearsal, identity)


def _run(rehearsal: Rehearsal, identity: dict[str, Any]) -> RunResult:
    """Train in the folder that was opened, from where it stands."""
    folder, world = rehearsal.folder, rehearsal.world
    if not world.from_main(lambda: _is_complete(rehearsal)):
        last_checkpoint = world.from_main(lambda: _prepare(rehearsal, identity))
        same_s = SAME_S if world.size > 1 else 0.0
        with (
            interruptible(rehearsal.say, same_s=same_s) as interrupt,
            _final_status(rehearsal) as finish,
        ):
            status = _train(rehearsal, last_checkpoint, interrupt)
            world.on_main(lambda: finish(status))
    return world.from_main(lambda: _result(folder, rehearsal.steps))


def _is_complete(rehearsal: Rehearsal) -> bool:
    folder = rehearsal.folder
    if folder.read_record().get("status") != statuses.COMPLETED:
        return False
    rehearsal.say(f"{folder.name} is complete already: nothing is left to do")
    if not folder.last_message().startswith(ENDED):  # version 0.1 wrote the status first
        _end(rehearsal, statuses.COMPLETED)
    return True


def _say_amount(rehearsal: Rehearsal) -> None:
    """Say what will be sampled and how much memory that is likely to take."""
    recipe, validated = rehearsal.recipe, len(rehearsal.data.validation)
    rehearsal.say(plan.amount_words(recipe.settings, rehearsal.steps, validated=validated))
    size = model_size(recipe.model)
    if size is not None:
        place = GPU_MEMORY if is_cuda(rehearsal.device.type) else MAIN_MEMORY
        free = FreeMemory(rehearsal.device.free_bytes, place)
        found = memory(
            recipe.settings,
            size,
            free=free,
            dtype=rehearsal.device.dtype,
            engine=recipe.local.engine,
            vllm_share=recipe.local.vllm_share,
            validation_prompts=validated,
            pass_mb=recipe.local.passMemory,
            spread=Spread(rehearsal.world.size),
        )
        rehearsal.say(
            f"about {found.total / MEGABYTE:,.0f} MB of {found.place}, by an estimate; "
            "rft estimate --measure says how long it takes"
        )


def _identity(
    recipe: Recipe, data: Data, steps: Steps, device: Device, world: World
) -> dict[str, Any]:
    """Return what makes this run this run; the hashes must agree when it is resumed."""
    return {
        "model": recipe.model,
        "recipe_hash": recipe.recipe_hash,
        "reward_hash": path_hash(recipe.reward_path),
        "second_opinions": {n: path_hash(path) for n, path in recipe.second_opinions.items()},
        "data_hash": rows_hash([*data.train, *data.validation]),
        "git_revision": provenance.git_revision(recipe.folder),
        "versions": provenance.package_versions(),
        "seed": recipe.settings.seed,
        "device": asdict(device),
        "world_size": world.size,
        "launcher": world.launcher,
        "lambda_file_system": confinement(),
        "data": {
            "records": data.records,
            "train_prompts": len(data.train),
            "validation_prompts": len(data.validation),
            "dropped_too_long": [row.id for row in data.too_long],
        },
        "steps": asdict(steps),
    }


def _open_folder(
    parent: Path,
    name: str,
    recipe: Recipe,
    identity: dict[str, Any],
    world: World,
    *,
    resume: bool,
) -> RunFolder:
    """Return the folder, which the main process owns; the others find their checkpoints in it."""

    def opened() -> RunFolder:
        if not resume:
            return RunFolder.create(parent, name)
        folder = RunFolder.open(parent / name, write=True)
        try:
            _demand_identity(folder, recipe, identity)
        except RehearsalError:
            folder.close()
            raise
        return folder

    folder = world.on_main(opened) or RunFolder(parent / name)
    absent = world.gather([] if _appears(folder.path) else [gethostname()])
    if absent:
        folder.close()
        raise RunFolderError(
            "the processes of the run do not share its folder",
            where=str(folder.path),
            expected="a disk that every machine has",
            found=f"nothing there on {absent[0]}",
            hint="give --out a folder on a shared disk",
        )
    return folder


def _appears(path: Path) -> bool:
    """Whether a run lies there, at once or when a disk of the network shows it."""
    patience = time.monotonic() + APPEARS_S
    while not is_run(path) and time.monotonic() < patience:
        time.sleep(0.1)
    return is_run(path)


def _demand_identity(folder: RunFolder, recipe: Recipe, identity: dict[str, Any]) -> None:
    record = folder.read_record()
    for key, name in HELD.items():
        if key not in record or record[key] == identity[key]:
            continue
        expected, found = f"{key} {record[key]}", str(identity[key])
        if key == "recipe_hash" and folder.resolved.exists():
            # A hash of version 0.1 covers wordings too; the values are what counts.
            changes = recipe.changes_since(folder.read_resolved())
            if not changes:
                continue
            expected = ", ".join(f"{each} {was!r}" for each, (was, _) in changes.items())
            found = ", ".join(f"{each} {now!r}" for each, (_, now) in changes.items())
        raise RunFolderError(
            f"the {name} is not the one the run was started with",
            where=str(folder.record),
            expected=expected,
            found=found,
            hint="resume with the unchanged recipe, reward and data, or start a new run",
        )


def _prepare(rehearsal: Rehearsal, identity: dict[str, Any]) -> int | None:
    """Write down what will run; return the checkpoint to go on from, None for the beginning."""
    folder, recipe = rehearsal.folder, rehearsal.recipe
    last, found = folder.whole_checkpoint()
    lost, record = Run.read(folder).gaps, folder.read_record()
    remarks = list(dict.fromkeys([*(record.get("remarks") or ()), *found]))
    folder.write_record(remarks=remarks)  # before what they speak of is cut off
    folder.drop_unfinished_checkpoints()
    folder.truncate_after(-1 if last is None else last)
    if record.get("status") == statuses.IN_PROGRESS and folder.last_message().startswith(ENDED):
        folder.drop_last_event()  # of an end that a kill cut off
    started = record.get("started")
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
    has_begun = bool(folder.last_message())
    event = f"Job resumed after step {last or 0}" if has_begun else "Job started"
    before, now = record.get("world_size", 1), identity["world_size"]
    if has_begun and before != now:
        event += f", in {now} process{'es' * (now > 1)} after {before}: other random numbers"
    told = {event.get("message") for event in folder.read_events()}
    for remark in dict.fromkeys([*lost, *remarks]):
        if remark not in told:
            folder.append_event(message_event(remark, level="warn"))
    for remark in (*lost, *found):
        rehearsal.say(f"warning: {remark}")
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
    """Write how the run ended, whatever ended it; the main process does."""
    folder = rehearsal.folder
    if not rehearsal.world.is_main:
        yield lambda _status: None
        return
    try:
        yield lambda status: _end(rehearsal, status)
    except KeyboardInterrupt:
        _end(rehearsal, statuses.STOPPED)
        raise
    except RunFolderError as error:
        # The disk refuses; what it holds already is the record, so try the status and no more.
        with suppress(RunFolderError):
            folder.write_record(status=statuses.FAILED, error=str(error), ended=_now())
        raise
    except RehearsalError as error:
        _end(rehearsal, statuses.FAILED, str(error))
        raise
    except Exception:
        _end(rehearsal, statuses.FAILED, traceback.format_exc())
        raise


def _end(rehearsal: Rehearsal, status: str, error: str | None = None) -> None:
    """Write the last events and the page, then the status: a run that has one is whole."""
    folder = rehearsal.folder
    lines = folder.read_metrics()
    signal = signal_record(learning_signal(Evidence(lines)))
    if status == statuses.COMPLETED:
        stop = folder.read_record().get("early_stopping") or {}
        told = {
            event.get("message") for event in folder.read_events()
        }  # before a kill in this place
        also = rehearsal.recipe.second_opinions
        for words in [*_warnings(lines, signal, stop.get("reason")), *_gaps(lines, also)]:
            if words not in told:
                folder.append_event(message_event(words, level="warn"))
    level: Any = "error" if status == statuses.FAILED else "info"
    words = f"Job {status.lower()}" + (f": {error.splitlines()[0]}" if error else "")
    folder.append_event(message_event(words, level=level))
    ending = {"status": status, "error": error, "ended": _now(), "learning_signal": signal}
    for each in rehearsal.observers:
        each.ended(ending)
    folder.write_record(**ending)


def _warnings(
    lines: Sequence[dict[str, Any]], signal: dict[str, Any], early: str | None
) -> list[str]:
    """Say what a run that completed did badly, for whoever looks at its status alone."""
    found = [f"Job ends by {early}"] if early else []
    found += [] if signal["ok"] else [signal["words"]]
    failed = grader_errors(Evidence(lines))
    return [*found, failed.says] if failed.fired else found


def _gaps(lines: Sequence[dict[str, Any]], names: Iterable[str]) -> list[str]:
    """Say where second opinions are missing."""
    found = []
    for name in names:
        due = [line.get("local_also_graded") or {} for line in lines if "local_rollouts" in line]
        missing = sum(name not in each for each in due)
        if missing:
            found.append(f"The second opinion {name} is missing at {missing} of {len(due)} steps")
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _train(rehearsal: Rehearsal, last_checkpoint: int | None, interrupt: Interrupt) -> str:
    """Train to the end or to the user's stop; return the final status."""
    folder, world = rehearsal.folder, rehearsal.world

    def warn(words: str, *, is_new: bool = True) -> None:
        rehearsal.say(f"warning: {words}")
        if is_new:
            folder.append_event(message_event(words, level="warn"))

    with _graders(rehearsal, warn) as (grader, second):
        rewards = {} if grader is None else {"reward": grader, **second.named}
        warn_once = partial(warn, is_new=last_checkpoint is None)
        world.on_main(lambda: _try_rewards(rehearsal, rewards, warn_once))
        rehearsal.say(f"loading {rehearsal.recipe.local.model} on {rehearsal.device.type}")
        rehearsal.doing(Stage(f"loading {rehearsal.recipe.local.model}"))
        from bedrock_rft_sim.train.build import build_trainer

        trainer = build_trainer(rehearsal, grader, interrupt, second)
        world.on_main(lambda: rehearsal.observers.append(start_trackers(rehearsal, trainer)))
        if last_checkpoint is None and not world.any(interrupt.requested):
            trainer.start()
        _run_trainer(trainer, rehearsal, last_checkpoint, interrupt)
        is_stopped = world.any(interrupt.requested)
        return world.from_main(lambda: _status(rehearsal, last_checkpoint, is_stopped=is_stopped))


@contextmanager
def _graders(
    rehearsal: Rehearsal, warn: Callable[[str], None]
) -> Iterator[tuple[Grader | None, SecondOpinions]]:
    """Open the reward and its second opinions in the main process; the others have none."""
    if not rehearsal.world.is_main:
        yield None, NO_SECOND_OPINIONS
        return
    recipe, folder = rehearsal.recipe, rehearsal.folder
    with (
        Grader(reward_of(recipe), log=folder.grader_log) as grader,
        open_second_opinions(recipe, log=folder.second_opinion_log, say=warn) as second,
    ):
        yield grader, second


def _try_rewards(
    rehearsal: Rehearsal, rewards: Mapping[str, Grader], warn: Callable[[str], None]
) -> None:
    """Let the rewards grade a few answers before the model is loaded, and measure the floor."""
    rehearsal.doing(Stage("trying the reward"))
    for name, each in rewards.items():
        remark = preflight(each, rehearsal.data.train, name)
        if remark is not None:
            warn(remark)
    if "floor" not in rehearsal.folder.read_record():
        rehearsal.doing(Stage("measuring the reward's floor"))
        rehearsal.folder.write_record(floor=_floor(rehearsal))
    _say_amount(rehearsal)


def _status(rehearsal: Rehearsal, last_checkpoint: int | None, *, is_stopped: bool) -> str:
    """Return how the training that has just ended is recorded."""
    folder, total = rehearsal.folder, rehearsal.steps.total
    stop = rehearsal.early_stop()
    if stop is not None and stop.step < total:
        folder.write_record(early_stopping=asdict(stop))
        rehearsal.say(stop.reason)
        return statuses.COMPLETED
    unfinished = max([last_checkpoint or 0, *_steps(folder.read_metrics())]) < total
    return statuses.STOPPED if is_stopped and unfinished else statuses.COMPLETED


def _floor(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return the floor of the reward for the record, or why it is left out."""
    recipe, total = rehearsal.recipe, rehearsal.steps.total
    asks = asks_a_judge(recipe.reward_path)
    if total < STEPS_MIN:
        return {"left_out": f"a run of {total} steps shows no course beside it"}
    if asks is not False or any(map(SECRET_NAME.search, recipe.local.lambda_.environment)):
        return {"left_out": "the reward may ask a judge, which costs money"}
    reward, rows = reward_of(recipe), rehearsal.data.train
    found = floor_within(reward, rows, seed=recipe.settings.seed, seconds=FLOOR_S)
    if found is None:
        return {"left_out": f"the reward is too slow to measure it within {FLOOR_S} seconds"}
    return asdict(found)


def _run_trainer(
    trainer: RehearsalTrainer,
    rehearsal: Rehearsal,
    last_checkpoint: int | None,
    interrupt: Interrupt,
) -> None:
    folder, world = rehearsal.folder, rehearsal.world
    path = None if last_checkpoint is None else str(folder.checkpoint(last_checkpoint))
    with _named_errors(rehearsal):
        ended = last_checkpoint == rehearsal.steps.total or world.from_main(
            lambda: rehearsal.early_stop() is not None
        )
        if path is not None:
            from bedrock_rft_sim.train.sharded import demand_resumable

            demand_resumable(trainer, Path(path), is_trained=ended)
        if path is not None and ended:
            trainer.load_weights(path)  # killed between the last checkpoint and the end
        elif world.any(interrupt.requested):
            return
        else:
            rehearsal.doing(Stage("beginning to train"))
            trainer.train(resume_from_checkpoint=path)
        rehearsal.doing(Stage("saving the model"))
        trainer.save_model(str(folder.unfinished_model))
        world.barrier()
        world.on_main(folder.accept_model)


@contextmanager
def _named_errors(rehearsal: Rehearsal) -> Iterator[None]:
    """Turn what the machine may refuse during training into one message."""
    import torch
    from safetensors import SafetensorError

    try:
        with rehearsal.world.named_errors():
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
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and TORCH_WRITER not in str(error):
            raise
        raise RunFolderError(
            "a checkpoint or the model can't be written",
            where=str(rehearsal.folder.path),
            found=str(error),
            hint=files.hint_of(error),
        ) from error


def _steps(lines: Sequence[Mapping[str, Any]]) -> list[int]:
    return [line["step"] for line in lines]


def _result(folder: RunFolder, steps: Steps) -> RunResult:
    lines, record = folder.read_metrics(), folder.read_record()
    return RunResult(
        folder=folder.path,
        status=record["status"],
        step=max(_steps(lines), default=0),
        total_steps=steps.total,
        signal=learning_signal(Evidence(lines)),
        first=lines[0] if lines else {},
        last=lines[-1] if lines else {},
        early_stopping=(record.get("early_stopping") or {}).get("reason"),
        remarks=(*(record.get("remarks") or ()), *Run.read(folder).gaps),
    )
