"""One sweep from file to result: make the points, read them, say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bedrock_rft_sim.engine.device import visible_gpus
from bedrock_rft_sim.stats.shares import counted
from bedrock_rft_sim.sweep.confirmation import Confirmation, confirmation_of, nothing_to_confirm
from bedrock_rft_sim.sweep.file import SweepFile
from bedrock_rft_sim.sweep.outcome import PointOutcome, each_once
from bedrock_rft_sim.sweep.page import write_page
from bedrock_rft_sim.sweep.plan import Changes, SweepPlan, described_changes
from bedrock_rft_sim.sweep.points import CHILD, PointRunner
from bedrock_rft_sim.sweep.presence import present
from bedrock_rft_sim.sweep.ranking import Ranking
from bedrock_rft_sim.sweep.result import SweepResult, result_of, write_result
from bedrock_rft_sim.sweep.schedule import Pace, make_all
from bedrock_rft_sim.sweep.search import demand_optuna


def sweep(
    file: SweepFile,
    *,
    out: Path,
    workers: int,
    say: Callable[[str], None],
    command: Sequence[str] = CHILD,
) -> SweepResult:
    """Make every point that is not finished, below `out`, and write what was found there.

    Several sweeps, also on several machines, may share the points of one `out`.

    Raises:
        RecipeError: the sweep or a value in it can't be used.
        RunFolderError: another sweep works there, and the disk does not show it our locks.
        KeyboardInterrupt: the user stopped it; the same call goes on.
    """
    plan = SweepPlan(file, out)
    if file.mode == "search":
        demand_optuna()
    gpus = visible_gpus() if workers > 1 else ()
    runner = PointRunner(out, file.metric, command, say, gpus)
    walk = _Walk(plan, runner, workers)
    with present(out, say):
        found = result_of(plan, out, walk.search() if file.mode == "search" else walk.settings())
        if file.confirm is not None:
            found = replace(found, confirmation=walk.confirm(file.confirm, found.ranking))
        with runner.alone("writing-the-result"):
            write_result(found)
            write_page(found)
    return found


@dataclass(frozen=True)
class _Walk:
    """The ways through the points of a plan."""

    plan: SweepPlan
    runner: PointRunner
    workers: int

    def settings(self) -> list[PointOutcome]:
        """Make settings x seeds."""
        settings, seeds = self.plan.settings(), self.plan.seeds
        what = f"{counted(len(settings), 'setting')} x {counted(len(seeds), 'seed')}"
        outcomes = self._make(settings, seeds, f"{self.plan.sweep.mode}: {what}")
        # Settings in their own order again, which the seeds have cut up.
        return [one for changes in settings for one in outcomes if one.changes == changes]

    def search(self) -> list[PointOutcome]:
        """Make the base recipe and the trials."""
        from bedrock_rft_sim.sweep.search import search

        seeds = counted(len(self.plan.seeds), "seed")
        self.runner.say("the base recipe first, to compare the search with")
        what = f"{self.plan.sweep.mode}: 1 setting x {seeds}"
        centre = self._make([self.plan.centre], self.plan.seeds, what)
        trials = self.plan.sweep.trials
        self.runner.say(f"search: {trials} trials x {seeds}")
        made = search(self.plan, self.runner, pace=Pace(trials, self.workers, self.runner.say))
        # The same setting may be proposed twice, and given up only once.
        return each_once([*centre, *made])

    def confirm(self, seeds: tuple[int, ...], ranking: Ranking | None) -> Confirmation:
        """Make the best setting and the centre once more, with seeds that the choice never saw."""
        if ranking is None or ranking.is_centre:
            return nothing_to_confirm(ranking, seeds)
        best = ranking.best.changes
        what = (
            f"confirm: {described_changes(best)} is the best so far, but was chosen by these very "
            f"results; it and the base recipe once more, with {len(seeds)} fresh seeds"
        )
        return confirmation_of(self._make([self.plan.centre, best], seeds, what), seeds)

    def _make(
        self, settings: Sequence[Changes], seeds: Sequence[int], what: str
    ) -> list[PointOutcome]:
        """Make the points, the first seed of all settings first."""
        points = [self.plan.point(changes, seed) for seed in seeds for changes in settings]
        finished = sum(self.runner.is_finished(point) for point in points)
        runs = counted(len(points), "run")
        self.runner.say(f"{what} = {runs}, {finished} of them finished earlier")
        pace = Pace(len(points), self.workers, self.runner.say)
        return make_all(points, self.runner, pace=pace)
