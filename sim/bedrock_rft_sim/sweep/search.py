"""Search with Optuna: each trial is a setting, tried with every seed, and may be given up early.

A trial's value is the mean of the metric over the seeds. The pruner sees the validation rewards of
the first seed only, so that trials are compared at the same steps. The sampler holds no state of
its own: what it proposes depends on the trials in the study, the search's seed, the trial's number
and the axis, so a search that is killed and goes on proposes what the unbroken one would have.
That holds for one worker; several see each other's results in the order in which they arrive.

Several processes, also on several machines, may work on one study; a trial whose process died is
taken over by another.

Sources: Optuna 5 (`BaseSampler`, `TPESampler`, `MedianPruner`).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import Plain
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.sweep.file import Axis, Range
from bedrock_rft_sim.sweep.outcome import VALIDATION, PointOutcome, without_value
from bedrock_rft_sim.sweep.plan import Changes, Point, SweepPlan, described_changes
from bedrock_rft_sim.sweep.points import PointRunner
from bedrock_rft_sim.sweep.schedule import Pace, in_parallel
from bedrock_rft_sim.sweep.study import open_study

if TYPE_CHECKING:
    import optuna

TAKING: Final = "taking-a-trial"
WAIT_S: Final = 0.5
STARTUP_MOST: Final = 10
STARTUP_LEAST: Final = 3
DIGITS: Final = 4
"""Significant digits of a proposed number."""


def demand_optuna() -> None:
    """Refuse a search where Optuna is not installed.

    Raises:
        RecipeError: it is not.
    """
    if importlib.util.find_spec("optuna") is None:
        raise RecipeError(
            "a search needs Optuna, which is not installed",
            hint="pip install 'bedrock-rft-sim[hpo]', or sweep with mode: one-factor or grid",
        )


def search(plan: SweepPlan, runner: PointRunner, *, pace: Pace) -> list[PointOutcome]:
    """Make the trials that the study lacks and return the runs of all of them, trial by trial.

    Raises:
        KeyboardInterrupt: the user stopped it; the study goes on another time.
    """
    found: dict[int, list[PointOutcome]] = {}
    name = _study_name(plan)
    with runner.alone(TAKING):  # two processes must not both make the study
        storage = open_study(runner.out, runner.claim_path("study"), name=name)
        _study(plan, storage, name, create=True)
    reading = threading.Lock()

    def work() -> None:
        study = _study(plan, storage, name)
        _TrialWorker(plan, runner, pace, study, found, reading).work()

    in_parallel([work] * pace.workers, runner)
    return [one for number in sorted(found) for one in found[number]]


@dataclass
class _TrialWorker:
    plan: SweepPlan
    runner: PointRunner
    pace: Pace
    study: optuna.Study
    found: dict[int, list[PointOutcome]]
    """The runs of each trial by its number, shared by the workers."""
    reading: threading.Lock

    def work(self) -> None:
        """Take trials until there are enough and all are finished, by this worker or another."""
        self._read_finished()
        while True:
            with contextlib.ExitStack() as claim:
                taken = self._take(claim)
                if taken is not None:
                    self._make(taken)
                    continue
            self._read_finished()
            # Not "is finished": one that ends just now has not been read yet.
            if all(trial.number in self.found for trial in self._trials()):
                break
            self.runner.pause(WAIT_S)

    def _trials(self) -> list[optuna.trial.FrozenTrial]:
        all_ = self.study.get_trials(deepcopy=False)
        return [trial for trial in all_ if trial.number < self.plan.sweep.trials]

    def _read_finished(self) -> None:
        """Read the trials finished earlier or by others."""
        with self.reading:
            for trial in self._trials():
                if trial.state.is_finished() and trial.number not in self.found:
                    self.found[trial.number] = _read(trial, self.plan, self.runner)
                    self.pace.reused(f"trial {trial.number}")

    def _take(self, claim: contextlib.ExitStack) -> optuna.Trial | None:
        """Claim a trial left by a dead process, else a new one; None when there are enough."""
        with self.runner.alone(TAKING):
            trial = self._left_over(claim)
            if trial is None and len(self._trials()) < self.plan.sweep.trials:
                trial = self.study.ask()
                self.runner.claim(f"trial-{trial.number}", claim)
            if trial is not None:
                for axis in self.plan.sweep.axes:
                    _suggest(trial, axis)  # one left over has stored some or all of them
            return trial

    def _left_over(self, claim: contextlib.ExitStack) -> optuna.Trial | None:
        import optuna

        for trial in self._trials():
            if not trial.state.is_finished() and self._take_over(trial, claim):
                return optuna.trial.Trial(self.study, trial._trial_id)
        return None

    def _take_over(self, trial: optuna.trial.FrozenTrial, claim: contextlib.ExitStack) -> bool:
        with contextlib.ExitStack() as held:
            if not self.runner.claim(f"trial-{trial.number}", held):
                return False
            # Its owner may have finished it since the trials were listed.
            if self.study.get_trials(deepcopy=False)[trial.number].state.is_finished():
                return False
            claim.enter_context(held.pop_all())
            return True

    def _make(self, trial: optuna.Trial) -> None:
        from optuna.trial import TrialState

        began = time.monotonic()
        changes = _changes(trial.params, self.plan)
        outcomes: list[PointOutcome] = []
        for place, seed in enumerate(self.plan.seeds):
            point = self.plan.point(changes, seed)
            outcomes.append(self._make_point(trial, point, may_give_up=place == 0))
            if outcomes[-1].status != "completed":
                break
        last = outcomes[-1]
        trial.set_user_attr("why", last.why)
        self.found[trial.number] = outcomes
        if last.status == "completed":
            values = [one.value for one in outcomes if one.value is not None]
            mean = sum(values) / len(values)
            self.study.tell(trial, mean)
            ending = f"{mean:.3f}"
        else:
            state = TrialState.PRUNED if last.status == "pruned" else TrialState.FAIL
            self.study.tell(trial, state=state)
            ending = last.status
        what = f"trial {trial.number}, {described_changes(changes)}: {ending}"
        self.pace.made(what, time.monotonic() - began)

    def _make_point(self, trial: optuna.Trial, point: Point, *, may_give_up: bool) -> PointOutcome:
        if not may_give_up or self.plan.sweep.pruner is None:
            return self.runner.make(point)
        watch = _Watch(trial)
        outcome = self.runner.make(point, watch=watch)
        if watch.given_up is None and self.runner.is_finished(point):
            watch(self.runner.lines(point))
        return without_value(point, "pruned", watch.given_up) if watch.given_up else outcome


@dataclass
class _Watch:
    """Reports validation rewards to the pruner, in order, each once; says when to give up."""

    trial: optuna.Trial
    given_up: str | None = None
    judged: set[int] = field(default_factory=set)
    """Steps that need no look into the study any more."""

    def __call__(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        if self.given_up is not None:
            return True
        for line in lines:
            step, value = line.get("step"), line.get(VALIDATION)
            if not step or step == line.get("total_steps") or not is_number(value):
                continue  # before the first step nothing differs, after the last nothing is saved
            if step not in self.judged and self._is_behind(step, float(value)):
                self.given_up = (
                    f"given up after step {step} at validation {value:.3f}, "
                    "below the median of the trials before"
                )
                return True
        return False

    def _is_behind(self, step: int, value: float) -> bool:
        """Report a value and ask the pruner as of this step, unless a later one is known by now."""
        self.judged.add(step)
        stored = self.trial.storage.get_trial(self.trial._trial_id).intermediate_values
        if step not in stored:
            self.trial.report(value, step)
        return max((step, *stored)) == step and self.trial.should_prune()


def _read(
    trial: optuna.trial.FrozenTrial, plan: SweepPlan, runner: PointRunner
) -> list[PointOutcome]:
    from optuna.trial import TrialState

    points = [plan.point(_changes(trial.params, plan), seed) for seed in plan.seeds]
    why = str(trial.user_attrs.get("why") or "its run folder is gone")
    if trial.state is TrialState.PRUNED:
        return [without_value(points[0], "pruned", why)]
    outcomes = []
    for point in points:
        if not runner.is_finished(point):
            outcomes.append(without_value(point, "failed", why))
            break
        outcomes.append(runner.read(point))
    return outcomes


def _changes(params: Mapping[str, Any], plan: SweepPlan) -> Changes:
    found = {axis.path: _value(axis, params[axis.path]) for axis in plan.sweep.axes}
    return plan.without_base_values(found)


def _value(axis: Axis, proposed: Any) -> Plain:
    if not isinstance(axis.values, Range):
        return axis.values[int(proposed)]
    if axis.values.whole:
        return int(proposed)
    rounded = float(f"{proposed:.{DIGITS}g}")
    return min(max(rounded, float(axis.values.low)), float(axis.values.high))


def _suggest(trial: optuna.Trial, axis: Axis) -> None:
    values = axis.values
    if not isinstance(values, Range):
        trial.suggest_categorical(axis.path, range(len(values)))
    elif values.whole:
        trial.suggest_int(axis.path, int(values.low), int(values.high), log=values.log)
    else:
        trial.suggest_float(axis.path, float(values.low), float(values.high), log=values.log)


def _study_name(plan: SweepPlan) -> str:
    """Name the study by what would make its trials incomparable, so that a change starts anew."""
    centre = [plan.point(plan.centre, seed).identity for seed in plan.seeds]
    sweep = replace(plan.sweep, path=Path(), text="", trials=0, allow_refused=False)
    axes = [replace(axis, line=0) for axis in sweep.axes]
    meaning = json.dumps([centre, repr(replace(sweep, axes=tuple(axes)))])
    return hashlib.sha256(meaning.encode()).hexdigest()[:12]


def _study(plan: SweepPlan, storage: Any, name: str, *, create: bool = False) -> optuna.Study:
    import optuna

    options: dict[str, Any] = {
        "study_name": name,
        "storage": storage,
        "sampler": _sampler_class()(plan.sweep.search_seed, plan.sweep.trials),
        "pruner": _pruner(plan),
    }
    if create:
        return optuna.create_study(**options, direction="maximize", load_if_exists=True)
    return optuna.load_study(**options)


def _pruner(plan: SweepPlan) -> Any:
    import optuna

    settings = plan.sweep.pruner
    if settings is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(
        n_startup_trials=settings.startupTrials, n_warmup_steps=settings.warmupSteps
    )


@functools.cache
def _sampler_class() -> type[Any]:
    import optuna

    class Repeatable(optuna.samplers.BaseSampler):
        """TPE, each axis by itself, seeded anew for every trial and axis."""

        def __init__(self, seed: int, trials: int) -> None:
            self._seed = seed
            self._startup = min(STARTUP_MOST, max(STARTUP_LEAST, trials // 3))

        def infer_relative_search_space(self, *_: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, *_: Any) -> dict[str, Any]:
            return {}

        def sample_independent(
            self, study: Any, trial: Any, param_name: str, param_distribution: Any
        ) -> Any:
            key = f"{self._seed} {trial.number} {param_name}"
            seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
            tpe = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self._startup)
            return tpe.sample_independent(study, trial, param_name, param_distribution)

    return Repeatable
