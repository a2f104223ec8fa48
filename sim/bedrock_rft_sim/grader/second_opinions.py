"""Second opinions: rewards that grade what a run samples and are not trained on.

Each has containers of its own, under the trained reward's Lambda settings but without retries, so
that one that fails costs a run little time and never a step: its grades of those answers are then
missing, which is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import in_place_of, reward_of
from bedrock_rft_sim.grader.samples import Sample
from bedrock_rft_sim.recipe import Recipe


class SecondOpinions:
    """The open graders by name; `say` gets what goes wrong, in words."""

    def __init__(self, graders: Mapping[str, Grader], say: Callable[[str], None]) -> None:
        self.graders = graders
        self._say = say
        self._failed: set[str] = set()

    @property
    def named(self) -> dict[str, Grader]:
        """Return the graders by what a message calls them."""
        return {f"second opinion {name}": grader for name, grader in self.graders.items()}

    def grade(self, samples: Sequence[Sample]) -> list[dict[str, float]]:
        """Return each sample's grades by name; those of a reward that failed are absent."""
        found: list[dict[str, float]] = [{} for _ in samples]
        for name, grader in self.graders.items():
            try:
                grades = grader.grade(samples).grades
            except GraderError as error:
                self._tell(name, error)
                continue
            for each, grade in zip(found, grades, strict=True):
                each[name] = grade.score
        return found

    def _tell(self, name: str, error: GraderError) -> None:
        if name not in self._failed:
            self._failed.add(name)
            self._say(f"the second opinion {name} failed, the run goes on without it: {error}")


NO_SECOND_OPINIONS: Final = SecondOpinions({}, lambda _: None)


@contextmanager
def open_second_opinions(
    recipe: Recipe, *, log: Callable[[str], Path], say: Callable[[str], None]
) -> Iterator[SecondOpinions]:
    """Open a recipe's second opinions; `log` names the file of each one's log."""
    own, graders = reward_of(recipe), {}
    with ExitStack() as stack:
        for given, (name, path) in zip(
            recipe.local.alsoGrade, recipe.second_opinions.items(), strict=True
        ):
            reward = in_place_of(own, given, path).once()
            graders[name] = stack.enter_context(Grader(reward, log=log(name)))
        yield SecondOpinions(graders, say)
