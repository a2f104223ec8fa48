"""The file of single scores: one line per answer, under its name once it is complete.

Until then it is called `<name>.part`, and holds what has been graded so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors
from bedrock_rft_sim.grader import Grade
from bedrock_rft_sim.grader.fault_search import Broken
from bedrock_rft_sim.grader.grade.answers import Batch

Outcome = Grade | Broken


class ScoreFile:
    """Open it as a context; leaving it without an error gives the file its name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.part")
        with self._named_errors():
            self._file = self._unfinished.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        with self._named_errors():
            self._file.close()
            if kind is None:
                self._unfinished.replace(self._path)
            elif self._unfinished.stat().st_size == 0:
                self._unfinished.unlink()  # not one answer was graded

    def write(self, batch: Batch, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
        """Append one line per answer; `outcomes` holds a list per reward's name."""
        with self._named_errors():
            for record in _records(batch, outcomes):
                self._file.write(json.dumps(record) + "\n")
            self._file.flush()

    def _named_errors(self) -> AbstractContextManager[None]:
        return named_errors(self._path, "write the scores", kind=DataError)


def _records(batch: Batch, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[dict[str, Any]]:
    """Yield per answer where it stands, and what each reward made of it."""
    for index, answer in enumerate(batch.answers):
        record: dict[str, Any] = {"id": answer.id, "sample_id": answer.sample.id}
        if batch.rollouts:
            rollout = batch.rollouts[index]
            place = {"split": batch.split, "step": rollout.step, "sample": rollout.sample}
            record |= place | {"recorded": rollout.grade}
        of_answer = {name: graded[index] for name, graded in outcomes.items()}
        grades = {name: each for name, each in of_answer.items() if isinstance(each, Grade)}
        broken = {name: each for name, each in of_answer.items() if isinstance(each, Broken)}
        yield record | {
            "scores": {name: grades[name].score if name in grades else None for name in of_answer},
            "components": {
                name: {component.name: component.value for component in grade.components}
                for name, grade in grades.items()
            },
            "errors": {name: f"{each.kind}: {each.message}" for name, each in broken.items()},
        }
