"""One sweep from file to result: make the points, read them, say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bedrock_rft_sim.runs import disk
from bedrock_rft_sim.sweep.confirmation import Confirmation, confirmation_of, nothing_to_confirm
from bedrock_rft_sim.sweep.file import SweepFile
from bedrock_rft_sim.sweep.outcome import Outcome, each_once
from bedrock_rft_sim.sweep.page import write_page
from bedrock_rft_sim.sweep.points import CHILD, PointRunner
from bedrock_rft_sim.sweep.ranking import Ranking
from bedrock_rft_sim.sweep.result import Result, result_of, write_result
from bedrock_rft_sim.sweep.schedule import Pace, make_all
from bedrock_rft_sim.sweep.settings import Changes, Plan, described_changes


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
    runner = PointRunner(out, command, say)
    if asked.mode == "search":
        outcomes = _search(plan, runner, workers=workers, say=say)
    else:
        outcomes = _walk(plan, plan.settings(), runner, workers=workers, say=say)
    found = result_of(plan, out, outcomes)
    if asked.confirm is not None:
        confirmed = _confirm(
            plan, asked.confirm, found.ranking, runner=runner, workers=workers, say=say
        )
        found = replace(found, confirmation=confirmed)
    with runner.alone("writing-the-result"):
        write_result(found)
        write_page(found)
    return found


def _walk(
    plan: Plan,
    settings: Sequence[Changes],
    runner: PointRunner,
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
    plan: Plan, runner: PointRunner, *, workers: int, say: Callable[[str], None]
) -> list[Outcome]:
    from bedrock_rft_sim.sweep.search import demand_optuna, search

    demand_optuna()
    say("the base recipe first, to hold the search against")
    centre = _walk(plan, [plan.centre], runner, workers=workers, say=say)
    say(f"search: {plan.sweep.trials} trials x {_count(len(plan.seeds), 'seed')}")
    trials = search(plan, runner, pace=Pace(plan.sweep.trials, workers, say))
    # The same setting may be proposed twice, and given up only once.
    return each_once([*centre, *(one for trial in trials for one in trial.outcomes)])


def _confirm(
    plan: Plan,
    seeds: tuple[int, ...],
    ranking: Ranking | None,
    *,
    runner: PointRunner,
    workers: int,
    say: Callable[[str], None],
) -> Confirmation:
    """Make the best setting and the centre once more, with seeds that the choice never saw."""
    if ranking is None or ranking.is_centre:
        return nothing_to_confirm(ranking, seeds)
    pair = (plan.centre, ranking.best.changes)
    points = [plan.point(changes, seed) for seed in seeds for changes in pair]
    finished = sum(runner.is_finished(point) for point in points)
    say(
        f"confirm: {described_changes(ranking.best.changes)} is the best so far, but was chosen by "
        f"these very results; it and the base recipe once more, with {len(seeds)} fresh seeds = "
        f"{_count(len(points), 'run')}, {finished} of them finished earlier"
    )
    pace = Pace(len(points), workers, say)
    return confirmation_of(make_all(points, runner, pace=pace, metric=plan.sweep.metric), seeds)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
