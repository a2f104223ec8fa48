"""Watch the trainer and write each step into the run folder.

A step is complete when its line stands in metrics.jsonl, which is written last; everything before
it (rollouts, events, CSV row) is rewritten if the run is killed in between and resumed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bedrock_rft_sim.contract.events import message_event
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.diagnosis import Evidence
from bedrock_rft_sim.diagnosis.grading import grader_errors
from bedrock_rft_sim.engine.device import Device, peak_memory_bytes
from bedrock_rft_sim.engine.sampler import Answer, Engine, Far, Sampler
from bedrock_rft_sim.errors import TrainingError
from bedrock_rft_sim.grader.samples import GradedBatch, Invocation
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.metrics import drop_non_finite, mantle_event, nova_csv_row, step_metrics
from bedrock_rft_sim.runs.observer import Doing, RunObserver, Stage
from bedrock_rft_sim.runs.rollouts import Rollout, group_advantages
from bedrock_rft_sim.stats.shares import weighted_mean
from bedrock_rft_sim.train.clock import Clock
from bedrock_rft_sim.train.early_stopping import EarlyStop, early_stop, watched
from bedrock_rft_sim.train.interrupt import Interrupt, StopRequestedError
from bedrock_rft_sim.train.validation import Validation, as_rollout
from bedrock_rft_sim.train.world import ALONE, World


def tell_nobody(_stage: Stage) -> None:
    """Let nobody see what goes on."""


@dataclass(frozen=True)
class Rehearsal:
    """What the parts of one run share."""

    recipe: Recipe
    data: Data
    steps: Steps
    folder: RunFolder
    device: Device
    say: Callable[[str], None]
    """Says what goes on, in words."""
    observers: list[RunObserver] = field(default_factory=list)
    doing: Doing = tell_nobody
    world: World = ALONE

    def note(self, **fields: object) -> None:
        """Set fields of run.json, which the main process owns."""
        if self.world.is_main:
            self.folder.write_record(**fields)

    def early_stop(self) -> EarlyStop | None:
        """Return why the run should end after the steps recorded so far; None to go on."""
        return early_stop(self.folder.read_metrics(), self.recipe.local.earlyStopping)


@dataclass
class PendingStep:
    """What is known of a step while it is still running."""

    rollouts: list[Rollout] = field(default_factory=list)
    """Of all processes, in the main one; none elsewhere."""
    invocations: Sequence[Invocation] = ()
    seen: dict[int, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """What passes of the policy saw of each rollout, by the names of a rollout's fields."""
    ratios: dict[int, float] = field(default_factory=dict)
    """Of its probability as it was learned from to that when sampled, clipped, mean over tokens."""
    clipped: dict[int, float] = field(default_factory=dict)
    """Share of its tokens whose ratio was clipped."""

    def join(self, world: World) -> None:
        """Take what the other processes saw of their rollouts as well."""
        for seen, ratios, clipped in world.gather([(dict(self.seen), self.ratios, self.clipped)]):
            self.seen.update(seen)
            self.ratios.update(ratios)
            self.clipped.update(clipped)

    def complete(self, step: int) -> list[Rollout]:
        """Return the rollouts with what was seen of them."""
        return [
            replace(rollout, step=step, **self.seen.get(index, {}))
            for index, rollout in enumerate(self.rollouts)
        ]


class StepRecorder:
    """Collects one step at a time and appends it to the run folder.

    Every process has one and calls the same methods; what is written, the main process writes.
    """

    def __init__(
        self,
        rehearsal: Rehearsal,
        validation: Validation | None,
        interrupt: Interrupt,
    ) -> None:
        self.clock = Clock()
        self.checkpoint_steps = frozenset(rehearsal.steps.checkpoints)
        self.updates_per_step = rehearsal.recipe.settings.updates_per_step
        self.world = rehearsal.world
        self.answers: Sequence[Answer] = ()
        """Those to be graded next."""
        self.early_stop: EarlyStop | None = None
        self.step = 0
        """The one in progress."""
        self._interrupt = interrupt
        self._rehearsal = rehearsal
        self._validation = validation
        self._folder = rehearsal.folder
        self._steps = rehearsal.steps
        lines = self._folder.read_metrics() if self.world.is_main else []
        self._validated = watched(lines)
        self._has_failed = grader_errors(Evidence(lines)).fired
        self._engine: Engine | None = None
        self._pending: PendingStep | None = None

    def stop_requested(self) -> bool:
        """Whether the user wants the run to stop, of whichever process they asked it."""
        return self.world.any(self._interrupt())

    def is_stopping(self) -> bool:
        """Whether a stop was requested, for instance while the step was validated."""
        return self.world.any(self._interrupt.requested)

    def doing(self, what: str, of: int | None = None) -> Far:
        """Show what goes on in the step, of how many; return what tells how far it is."""
        words = f"{what} step {self.step}" + (f" of {self._steps.total}" if self.step else "")
        self._rehearsal.doing(Stage(words, 0, of))
        return lambda done, share: self._rehearsal.doing(Stage(words, done, of, share))

    def update_decided(self, why_padded: str | None) -> str | None:
        """Record how rollouts pass through the model to be trained on, and say a second-best.

        Return why they are padded in any process, since all then pad.
        """
        whys = self.world.gather([why_padded])
        why_padded = next((why for why in whys if why is not None), None)
        name = "packed" if why_padded is None else "padded"
        self._rehearsal.note(update={"name": name, "why": why_padded})
        if why_padded is not None:
            self._rehearsal.say(f"the update runs with padding, by TRL: {why_padded}")
        return why_padded

    def sampled(self, answers: Sequence[Answer], engine: Engine) -> None:
        """Take one step's answers, P groups of G in a row, and what they come from."""
        self.answers = answers
        self._pending = PendingStep()
        self._note(engine)

    def _note(self, engine: Engine) -> None:
        """Record what answers come from, in any process, and say a second-best."""
        engines = self.world.gather([engine])
        engine = next((each for each in engines if each.name != "native"), engine)
        if engine == self._engine:
            return
        self._engine = engine
        self._rehearsal.note(engine=asdict(engine))
        if engine.name != "native" and self._rehearsal.recipe.local.engine == "auto":
            self._rehearsal.say(f"answers come from the engine {engine.name}: {engine.why}")

    def graded(
        self,
        rows: Sequence[Row],
        samples: Sequence[int],
        texts: Sequence[str],
        batch: GradedBatch,
        also: Sequence[Mapping[str, float]] | None = None,
    ) -> None:
        """Take the grades of the answers that were sampled last, in the same order.

        `also` holds those by rewards that are not trained on.
        """
        scores = [grade.score for grade in batch.grades]
        size = self._rehearsal.recipe.settings.samples_per_prompt
        rewards_P_G = [scores[start : start + size] for start in range(0, len(scores), size)]
        advantages = [a for group_G in group_advantages(rewards_P_G) for a in group_G]
        others: Sequence[Mapping[str, float] | None] = also or [None] * len(texts)
        rollouts = [
            as_rollout(
                row, answer, grade, step=0, sample=sample, text=text, advantage=part, also=other
            )
            for row, sample, text, answer, grade, part, other in zip(
                rows, samples, texts, self.answers, batch.grades, advantages, others, strict=True
            )
        ]
        assert self._pending is not None
        self._pending.rollouts, self._pending.invocations = rollouts, batch.invocations

    def token_scores(self, index: Sequence[int], scores: Mapping[str, Sequence[float]]) -> None:
        """Take what a pass saw of some rollouts, under the names of their fields (nats)."""
        assert self._pending is not None
        for position, rollout in enumerate(index):
            self._pending.seen[rollout] |= {name: v[position] for name, v in scores.items()}

    def clipped(
        self, index: Sequence[int], ratios: Sequence[float], shares: Sequence[float]
    ) -> None:
        """Take how far the policy had moved from the one that sampled, where it is another."""
        assert self._pending is not None
        self._pending.ratios |= dict(zip(index, ratios, strict=True))
        self._pending.clipped |= dict(zip(index, shares, strict=True))

    def logged(self, step: int, log: dict[str, Any], sampler: Sampler) -> None:
        """Write the step that TRL has just logged; validate where it is due.

        Raises:
            TrainingError: the loss or the gradient is no longer a finite number.
        """
        pending, self._pending = self._pending, None
        self.world.on_main(lambda: self._folder.append_trainer_log(_finite(log)))
        if pending is None:  # the summary that ends the training loop
            return
        _demand_finite(step, log)
        pending.join(self.world)
        validated = self._validate(step, sampler)
        peak = self._peak_memory_mb()
        self.world.on_main(lambda: self._write(step, log, pending, validated, peak))
        rule = self._rehearsal.recipe.local.earlyStopping
        if step in self._steps.validations:
            self.early_stop = self.world.from_main(lambda: early_stop(self._validated, rule))

    def _write(
        self,
        step: int,
        log: Mapping[str, Any],
        pending: PendingStep,
        validated: Sequence[Rollout],
        peak: float | None,
    ) -> None:
        rollouts = pending.complete(step)
        self.doing("recording")
        with self.clock.phase("record"):
            self._folder.write_rollouts(step, rollouts)
        line = self._line(
            rollouts,
            step,
            validated,
            peak,
            epoch=(step - 1) // self._steps.per_epoch,
            grad_norm=log["grad_norm"],
            pg_loss=policy_loss(rollouts, pending.ratios),
            clip_fraction=clip_fraction(rollouts, pending.clipped),
            invocations=pending.invocations,
        )
        line = _finite(line)
        self._folder.append_csv(nova_csv_row(line))
        self._folder.append_event(mantle_event(line))
        self._warn_of_failures(step, line)
        self._append(line)

    def _warn_of_failures(self, step: int, line: Mapping[str, Any]) -> None:
        """Say the first time that calls of the reward fail; the sum is said at the end."""
        failed = grader_errors(Evidence([line]))
        if failed.fired and not self._has_failed:
            self._has_failed = True
            event = message_event(f"Step {step}: {failed.says}", level="warn")
            self._folder.append_event({**event, "data": {"step": step}})

    def start(self, sampler: Sampler) -> None:
        """Validate the model before training and write the line of step 0."""
        with suppress(StopRequestedError):  # a resumed run begins with it again
            validated, peak = self._validate(0, sampler), self._peak_memory_mb()
            self.world.on_main(lambda: self._append(self._line((), 0, validated, peak)))

    def _validate(self, step: int, sampler: Sampler) -> list[Rollout]:
        """Return the validated rollouts in the main process, none elsewhere."""
        if self._validation is None or step not in self._steps.validations:
            return []
        with self.clock.phase("validate"):
            far = self.doing("validating", len(self._validation))
            rollouts = self._validation.rollouts(step, sampler, far if step else self._ending(far))
            self._note(sampler.engine)
            self.world.on_main(lambda: self._folder.write_validation(step, rollouts))
        return rollouts

    def _ending(self, far: Far) -> Far:
        """Return what tells how far it is, and ends it where the user wants the run to stop.

        Only of one process, since several answer together.
        """

        def told(done: int, share: float) -> None:
            if self.world.size == 1 and self._interrupt.requested:
                raise StopRequestedError
            far(done, share)

        return told

    def _line(
        self,
        rollouts: Sequence[Rollout],
        step: int,
        validated: Sequence[Rollout],
        peak_memory_mb: float | None,
        **seen: Any,
    ) -> dict[str, Any]:
        return step_metrics(
            rollouts,
            step=step,
            total_steps=self._steps.total,
            seconds=self.clock.lap(),
            peak_memory_mb=peak_memory_mb,
            validation=validated,
            **seen,
        )

    def _peak_memory_mb(self) -> float | None:
        """Return the peak of the process that holds most; the seconds are the main process's."""
        peaks = self.world.gather([peak_memory_bytes(self._rehearsal.device.type)])
        found = [peak for peak in peaks if peak is not None]
        return max(found) / 2**20 if found else None

    def _append(self, line: dict[str, Any]) -> None:
        self._folder.append_metrics(line)
        self._validated += watched([line])
        for observer in self._rehearsal.observers:
            observer.step(line)
        self.clock.skip()  # the page belongs to no step

    def checkpoint_saved(self, step: int) -> None:
        """Accept the checkpoint that TRL has just finished writing, in every process."""
        self.world.barrier()
        self.world.on_main(lambda: self._accept(step))
        self.clock.skip()

    def _accept(self, step: int) -> None:
        self._folder.accept_checkpoint(step, updates_per_step=self.updates_per_step)
        event = message_event(f"Step {step}/{self._steps.total}: checkpoint saved")
        self._folder.append_event({**event, "data": {"step": step}})


def policy_loss(rollouts: Sequence[Rollout], ratios: Mapping[int, float]) -> float | None:
    """Return verl's `actor/pg_loss` as the mean over the tokens of all updates of a step.

    Where no ratio is given it is 1: the policy that learns is the one that sampled. The loss of a
    step with one update is minus its mean token advantage.
    """
    trained = [
        (rollout.advantage * ratios.get(index, 1.0), len(rollout.tokens))
        for index, rollout in enumerate(rollouts)
        if rollout.advantage is not None
    ]
    tokens = sum(length for _, length in trained)
    return -math.fsum(a * length for a, length in trained) / tokens if tokens else None


def clip_fraction(rollouts: Sequence[Rollout], shares: Mapping[int, float]) -> float | None:
    """Return the share of a step's tokens whose probability ratio was clipped."""
    return weighted_mean(
        (shares.get(index, 0.0), len(rollout.tokens)) for index, rollout in enumerate(rollouts)
    )


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without NaN and infinities, which are named instead of written."""
    clean, names = drop_non_finite(values)
    return {**clean, "local_non_finite": list(names)} if names else clean


def _demand_finite(step: int, log: Mapping[str, Any]) -> None:
    bad = [name for name in ("loss", "grad_norm") if not math.isfinite(log[name])]
    if bad:
        raise TrainingError(
            f"the policy's {' and '.join(bad)} left the finite numbers",
            where=f"step {step}",
            expected="finite numbers",
            found=", ".join(f"{name} {log[name]}" for name in bad),
            hint="lower the learning rate; the last checkpoint is from before this step",
        )
