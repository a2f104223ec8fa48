"""A run's answers, step by step, with the prompts and references they were given to.

Rollouts name their prompt by id; the row comes from the prompts that the run kept, or from another
file. A run of a version that kept none is read with the data that its recipe names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from bedrock_rft_sim.data import Row, plan, read_rows
from bedrock_rft_sim.data.plan import Split
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.grade.answers import Batch, Rows, SavedAnswer, UniqueNames
from bedrock_rft_sim.grader.samples import answered
from bedrock_rft_sim.recipe import Recipe, parse_recipe
from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.runs.rollouts import Rollout

OF_LAMBDA = "lambda."
READ_AGAIN = (
    "model", "trainingData", "validationData", "reward", "handler", "payloadProfile",
    "wrapStringAsText",
)  # fmt: skip


def recipe_of(run: Run) -> Recipe:
    """Return the recipe the run was made with, as far as data and grader go.

    Raises:
        DataError: the run's record of its recipe is damaged.
    """
    try:
        values = {name: entry["value"] for name, entry in run.resolved["local"].items()}
        request = dict(run.resolved["request"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            "the run's recipe can't be read back",
            where=str(run.folder.resolved),
            expected="request, and local with a value for every name",
            found=f"{type(error).__name__}: {error}",
            hint="give the recipe with --recipe",
        ) from error
    local = {name: values[name] for name in READ_AGAIN if values.get(name) is not None}
    local["lambda"] = {
        name.removeprefix(OF_LAMBDA): value
        for name, value in values.items()
        if name.startswith(OF_LAMBDA)
    }
    text = json.dumps({**request, "local": local})
    return parse_recipe(text, name=str(run.folder.resolved))


def rows_of(recipe: Recipe | None, data: Path | None, split: Split) -> Rows:
    """Return the rows by id: those of `data` where it is given, else the recipe's.

    Raises:
        DataError: the data can't be read.
    """
    if data is not None:
        return _by_id(read_rows(data))
    if recipe is None:
        return {}
    return _by_id(plan.source_rows(recipe, split))


def run_batches(
    run: Run, recipe: Recipe, *, data: Path | None, validation: bool
) -> Iterator[Batch]:
    """Yield the answers of each training step, then those of each validation if wanted.

    Raises:
        DataError: a prompt's row is not in the data.
    """
    _refuse_empty(run, validation=validation)
    train = _known_rows(run, recipe, data, "train")
    for step, rollouts in run.rollouts():
        if rollouts:
            yield _batch(rollouts, train, where=_where(run, step), split="train")
    if not validation or not run.folder.validation_steps():
        return
    # Where there is no validation file, its rows are a part of the training file.
    held_out = _known_rows(run, recipe, data, "validation") or train
    for step, rollouts in run.validations():
        where = f"{_where(run, step)} (validation)"
        if rollouts:
            yield _batch(rollouts, held_out, where=where, split="validation")


def _known_rows(run: Run, recipe: Recipe, data: Path | None, split: Split) -> Rows:
    kept = run.prompts() if data is None else {}
    if kept:
        return {row.id: row for (name, _), row in kept.items() if name == split}
    source = recipe.training_source if split == "train" else recipe.validation_source
    if data is None and isinstance(source, Path) and not source.is_file():
        raise DataError(
            "the run's data is not where its recipe says",
            where=str(run.folder.path),
            expected=str(source),
            found="no such file",
            hint="give the file with --data, or the recipe itself with --recipe",
        )
    return rows_of(recipe, data, split)


def _where(run: Run, step: int) -> str:
    return f"{run.folder.path}, step {step}"


def _refuse_empty(run: Run, *, validation: bool) -> None:
    if not run.folder.rollout_steps() and not (validation and run.folder.validation_steps()):
        raise DataError(
            "the run holds no rollouts",
            where=str(run.folder.path),
            expected="at least one step under rollouts/",
            found=f"status {run.status}",
        )


def _by_id(rows: Iterator[Row]) -> Rows:
    return {row.id: row for row in rows}


def _batch(rollouts: Sequence[Rollout], rows: Rows, *, where: str, split: Split) -> Batch:
    names = UniqueNames()
    answers = tuple(_answer(rollout, rows, names, where=where) for rollout in rollouts)
    return Batch(answers, tuple(rollouts), split)


def _answer(rollout: Rollout, rows: Rows, names: UniqueNames, *, where: str) -> SavedAnswer:
    row = rows.get(rollout.prompt_id)
    if row is None:
        raise DataError(
            "a rollout's prompt is not in the data",
            where=f"{where}, id {rollout.prompt_id!r}",
            expected="a row with this id",
            found=f"{len(rows):,} rows with other ids",
            hint="give the file that the run was made with, by --data",
        )
    name = names.take(f"{row.id}#{rollout.sample}")  # as the trainer names it
    return SavedAnswer(row.id, rollout.text, answered(row, rollout.text, name))
