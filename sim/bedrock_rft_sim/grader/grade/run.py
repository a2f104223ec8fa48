"""Grade saved answers with each reward, batch by batch, and put together what came out.

Memory grows by the scores and the ids, not by the texts.
An answer that a reward fails on has no score from it; a reward that can't be loaded ends it all.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.fault_search import FaultSearch
from bedrock_rft_sim.grader.grade.agreement import Pair
from bedrock_rft_sim.grader.grade.answers import Batch, file_batches
from bedrock_rft_sim.grader.grade.replay import Replay
from bedrock_rft_sim.grader.grade.saved_run import recipe_of, rows_of, run_batches
from bedrock_rft_sim.grader.grade.score_file import ScoreFile
from bedrock_rft_sim.grader.grade.summary import Scores
from bedrock_rft_sim.grader.reward import RewardFile, in_place_of, reward_of, reward_path
from bedrock_rft_sim.recipe import Recipe, load_recipe
from bedrock_rft_sim.runs import Run

CALLS_PER_ANSWER = 2
"""Failed calls that a batch may take per answer; halving an event needs no more."""

RECORDED = "recorded"
"""The name under which a run's own grades are compared with a reward's."""


@dataclass(frozen=True)
class Source:
    """Where the answers come from, and how they are to be graded."""

    name: str
    batches: Iterator[Batch]
    recipe: Recipe | None
    is_run: bool
    gaps: tuple[str, ...] = ()
    """Steps of a run whose answers are gone."""


class GradedAgain:
    """What each reward made of the answers, growing batch by batch."""

    def __init__(self, source: Source, rewards: Sequence[str], profile: str) -> None:
        names = _names(rewards)
        columns = [*([RECORDED] if source.is_run else []), *names]
        self.source = source
        self.profile = profile
        self.answers = 0
        self.scores = [Scores(name) for name in names]
        self.pairs = [Pair(*two) for two in itertools.combinations(columns, 2)]
        self.replays = [Replay(name) for name in names] if source.is_run else []
        self.inexact: set[str] = set()
        """Rewards that failed so often that answers of one event were counted together."""
        self.warnings: dict[str, None] = dict.fromkeys(source.gaps)

    def add(self, batch: Batch, searches: Sequence[FaultSearch], file: ScoreFile | None) -> None:
        """Grade one batch and take in what came out; `searches` has one entry per reward."""
        samples = [answer.sample for answer in batch.answers]
        outcomes = [search.grade(samples) for search in searches]
        self.answers += len(samples)
        columns: dict[str, list[float | None]] = {RECORDED: batch.recorded}
        for scores, search, graded in zip(self.scores, searches, outcomes, strict=True):
            if not search.exact:
                self.inexact.add(scores.reward)
            warnings = (each for call in search.invocations for each in call.warnings)
            self.warnings |= dict.fromkeys(warnings)
            columns[scores.reward] = scores.add(graded)
        step = batch.rollouts[0].step if batch.rollouts else None
        for pair in self.pairs:
            both = zip(batch.answers, columns[pair.first], columns[pair.second], strict=True)
            for answer, first, second in both:
                pair.add(first, second, answer_id=answer.id, step=step, text=answer.text)
        for replay in self.replays:
            replay.add(batch.split, batch.rollouts, columns[replay.reward])
        if file is not None:
            names = [scores.reward for scores in self.scores]
            file.write(batch, dict(zip(names, outcomes, strict=True)))

    @property
    def ok(self) -> bool:
        """Whether every reward scored every answer."""
        return not any(scores.failed for scores in self.scores)

    def as_json(self) -> dict[str, Any]:
        """Return it all, JSON-ready; a number that overflowed on the way is None."""
        values: dict[str, Any] = _finite(
            {
                "ok": self.ok,
                "source": self.source.name,
                "profile": self.profile,
                "rewards": [
                    scores.as_json() | {"exact": scores.reward not in self.inexact}
                    for scores in self.scores
                ],
                "agreement": [pair.as_json() for pair in self.pairs],
                "replay": [replay.as_json() for replay in self.replays],
                "warnings": list(self.warnings),
            }
        )
        return values


def open_source(path: Path, *, data: Path | None, recipe: str | None, validation: bool) -> Source:
    """Find the answers: a run folder, a JSONL or a CSV.

    Raises:
        RehearsalError: the source, the data or the recipe can't be read.
    """
    stated = None if recipe is None else load_recipe(recipe)
    if path.is_dir():
        run = Run.open(path)
        own = stated or recipe_of(run)
        batches = run_batches(run, own, data=data, validation=validation)
        return Source(str(path), batches, own, is_run=True, gaps=run.gaps)
    if validation:
        raise DataError(
            "only a run has validation answers",
            where=str(path),
            expected="a run folder",
            hint="leave --validation out",
        )
    rows = rows_of(stated, data, "train")
    return Source(str(path), file_batches(path, rows), stated, is_run=False)


def grade_again(
    source: Source,
    rewards: Sequence[str],
    *,
    profile: str | None = None,
    out: Path | None = None,
    on_batch: Callable[[int], None] = lambda _answers: None,
) -> GradedAgain:
    """Grade every answer with every reward; `on_batch` gets how many are done.

    Raises:
        RehearsalError: an answer can't be read, or a reward can't be loaded.
    """
    found = GradedAgain(source, rewards, _profile(source.recipe, profile))
    with contextlib.ExitStack() as stack:
        graders = [
            stack.enter_context(_grader(reward, source.recipe, profile)) for reward in rewards
        ]
        file = None if out is None else stack.enter_context(ScoreFile(out))
        for batch in source.batches:
            # Enough to grade every answer alone, unless the reward hangs.
            budget = CALLS_PER_ANSWER * len(batch.answers)
            found.add(batch, [FaultSearch(grader, budget=budget) for grader in graders], file)
            on_batch(found.answers)
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _names(rewards: Sequence[str]) -> list[str]:
    """Return what each reward is called; one that is given twice is numbered."""
    seen: dict[str, int] = {}
    names = []
    for reward in rewards:
        seen[reward] = seen.get(reward, 0) + 1
        names.append(reward if seen[reward] == 1 else f"{reward} ({seen[reward]})")
    return names


def _profile(recipe: Recipe | None, profile: str | None) -> str:
    return profile or (recipe.local.payloadProfile if recipe else DEFAULT_PROFILE)


def _grader(reward: str, recipe: Recipe | None, profile: str | None) -> Grader:
    """Return the reward as the recipe's Lambda is configured, or as Lambda is by default.

    Without retries: a batch that fails is cut in halves until the answer at fault is found.
    """
    path = reward_path(reward)
    file = RewardFile(path) if recipe is None else in_place_of(reward_of(recipe), reward, path)
    return Grader(file.once(_profile(recipe, profile)))
