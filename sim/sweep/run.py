"""One sweep from file to result: make the points, read them, say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sim.runfolder import disk
from sim.sweep.file import SweepFile
from sim.sweep.outcome import Outcome
from sim.sweep.page import write_page
from sim.sweep.result import Result, result_of, write_result
from sim.sweep.runner import CHILD, Runner
from sim.sweep.schedule import Pace, make_all
from sim.sweep.settings import Changes, Plan


def sweep(
    asked: SweepFile,
    *,
    out: Path,
    workers: int,
    say: Callable[[str], None],
    command: Sequence[str] = CHILD,
) -> Result:
    """Make every point that is not finished, below `out`, and write what was found there.

    Raises:
        RecipeError: the sweep or a value in it can't be used.
        KeyboardInterrupt: the user stopped it; the same call goes on.
    """
    plan = Plan(asked, out)
    with disk.named_errors(out, "make the sweep's folder"):
        out.mkdir(parents=True, exist_ok=True)
    runner = Runner(out, command, say)
    if asked.mode == "search":
        outcomes = _search(plan, runner, workers=workers, say=say)
    else:
        outcomes = _walk(plan, plan.settings(), runner, workers=workers, say=say)
    found = result_of(plan, out, outcomes)
    with runner.alone("writing-the-result"):
        write_result(found)
        write_page(found)
    return found


def _walk(
    plan: Plan,
    settings: Sequence[Changes],
    runner: Runner,
    *,
    workers: int,
    say: Callable[[str], None],
) -> list[Outcome]:
    """Make settings × seeds, the first seed of all settings first."""
    points = [plan.point(changes, seed) for seed in plan.seeds for changes in settings]
    finished = sum(runner.is_finished(point) for point in points)
    say(
        f"{plan.sweep.mode}: {_count(len(settings), 'setting')} x {_count(len(plan.seeds), 'seed')}"
        f" = {_count(len(points), 'run')}, {finished} of them finished earlier"
    )
    pace = Pace(len(points), workers, say)
    outcomes = make_all(points, runner, pace=pace, metric=plan.sweep.metric)
    # Settings in their own order again, which the seeds have cut up.
    return [one for changes in settings for one in outcomes if one.changes == changes]


def _search(
    plan: Plan, runner: Runner, *, workers: int, say: Callable[[str], None]
) -> list[Outcome]:
    from sim.sweep.search import demand_optuna, search

    demand_optuna()
    say("the base recipe first, to hold the search against")
    centre = _walk(plan, [plan.centre], runner, workers=workers, say=say)
    say(f"search: {plan.sweep.trials} trials x {_count(len(plan.seeds), 'seed')}")
    trials = search(plan, runner, pace=Pace(plan.sweep.trials, workers, say))
    known = {one.name for one in centre}
    found = list(centre)
    for trial in trials:
        for one in trial.outcomes:
            if one.name not in known:  # the same setting may be proposed twice
                known.add(one.name)
                found.append(one)
    return found


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
