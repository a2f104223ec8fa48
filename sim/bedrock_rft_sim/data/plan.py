"""What a run will do, before a model is loaded: which prompts, how many steps, when to save.

The arithmetic is that of AWS's verl recipes (`drop_last`, `filter_overlong_prompts`, `save_freq`,
`test_freq`), which reproduces the one published Bedrock run: 300 records, one epoch, batch size 4,
67 steps, checkpoints at 20, 40, 60 and 67.

Not here: the model, the reward, the request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from bedrock_rft_sim.data import Row, orders, problems, read_rows, row_from_record
from bedrock_rft_sim.data.selection import drop_long, split_rows
from bedrock_rft_sim.data.tokens import ChatTokenizer
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.recipe import BuiltInData, Recipe, Settings
from bedrock_rft_sim.stats.shares import counted

Split = Literal["train", "validation"]

DEFAULT_PROBLEM_COUNT = 1600
DEFAULT_VALIDATION_COUNT = 128
EVAL_INTERVAL_MAX_UNSET = 10
"""Steps between validations, at most, where the recipe leaves evalInterval out."""
PROBLEM_SEED = 0  # the data stays the same when local.seed changes, as a file would


MOST_DROPPED = 0.5
"""Share of the training prompts; where more are too long, a run is hardly that of these data."""


@dataclass(frozen=True)
class Data:
    """The prompts of one run, after the split and the length filter."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    records: int
    """Records in the training source before the split and the filter."""
    too_long: tuple[Row, ...]
    """Rows dropped because their prompt is longer than `max_prompt_length` tokens."""
    prompt_tokens: tuple[int, ...]
    """Length of every training prompt, the dropped ones included, in tokens."""

    @property
    def dropped(self) -> int:
        """Return how many training prompts are too long."""
        return len(self.prompt_tokens) - len(self.train)


@dataclass(frozen=True)
class Steps:
    """The calendar of a run; steps count from 1, step 0 is the model before training."""

    per_epoch: int
    total: int
    planned: int
    """Steps without `local.maxSteps`."""
    checkpoints: tuple[int, ...]
    validations: tuple[int, ...]


def steps(prompts: int, settings: Settings, *, validates: bool) -> Steps:
    """Return the calendar for this many prompts: floor(prompts / batch_size) steps per epoch."""
    per_epoch = prompts // settings.batch_size
    if per_epoch == 0:
        raise DataError(
            "too few prompts for one training step",
            expected=f"at least batchSize = {settings.batch_size} prompts",
            found=f"{prompts} after the split and the length filter",
            hint="add records, or lower the batch size under local.overrides",
        )
    total = _total(per_epoch, settings)
    return Steps(
        per_epoch=per_epoch,
        total=total,
        planned=per_epoch * settings.epochs,
        checkpoints=_every(settings.checkpoint_interval, total),
        validations=(0, *_every(eval_interval(settings, per_epoch), total)) if validates else (),
    )


def _total(per_epoch: int, settings: Settings) -> int:
    planned = per_epoch * settings.epochs
    return planned if settings.max_steps is None else min(planned, settings.max_steps)


def amount_words(settings: Settings, steps: Steps, *, validated: int) -> str:
    """Say how many answers a run samples, where each validation has so many prompts."""
    prompts, size = settings.batch_size, settings.samples_per_prompt
    said = (
        f"{counted(steps.total, 'step')} of {counted(prompts, 'prompt')} x "
        f"{counted(size, 'answer')} = "
        f"{steps.total * settings.rollouts_per_step:,} answers to sample"
    )
    times = len(steps.validations)
    more = (
        f", and {counted(times, 'validation')} of {counted(validated, 'prompt')} = "
        f"{times * validated:,} more"
    )
    return said + (more if times else "")


def mostly_dropped(dropped: int, of: int) -> bool:
    """Whether so many of the training prompts are too long that hardly anything is left."""
    return dropped > MOST_DROPPED * of


def dropped_words(settings: Settings, dropped: int, of: int) -> str:
    """Say that so many of the training prompts are too long, and which steps that leaves."""
    limit = settings.max_prompt_length
    said = f"{dropped:,} of {of:,} prompts are longer than {limit:,} tokens here and are dropped"
    left, asked = (_total(count // settings.batch_size, settings) for count in (of - dropped, of))
    return said if left == asked else f"{said}: {left:,} steps in place of {asked:,}"


def eval_interval(settings: Settings, steps_per_epoch: int) -> int:
    """Return the steps between validations; left open, Bedrock takes min(10, dataset / batch).

    Source: AWS Machine Learning Blog, RFT best practices.
    """
    stated = settings.eval_interval
    return stated if stated is not None else max(1, min(EVAL_INTERVAL_MAX_UNSET, steps_per_epoch))


def _every(interval: int, total: int) -> tuple[int, ...]:
    return tuple(sorted({*range(interval, total + 1, interval), total}))


def read_data(recipe: Recipe, tokenizer: ChatTokenizer) -> Data:
    """Read, split and filter the recipe's rows.

    Raises:
        DataError: a file or record can't be used, or nothing is left to train on.
    """
    rows = list(source_rows(recipe, "train"))
    validation = list(source_rows(recipe, "validation"))
    records = len(rows)
    fraction = recipe.settings.validation_split
    if fraction is not None and not validation:
        rows, validation = split_rows(rows, fraction, recipe.settings.validation_split_seed)
    limit = recipe.settings.max_prompt_length
    counter = prompt_counter(recipe, tokenizer)
    lengths: list[int] = []

    def measured(row: Row) -> int:
        lengths.append(counter(row))
        return lengths[-1]

    kept, long_train = drop_long(rows, measured, limit)
    kept_validation, long_validation = drop_long(validation, counter, limit)
    if not kept:
        raise _nothing_left(recipe, long_train, counter)
    return Data(
        train=tuple(kept),
        validation=tuple(_part(kept_validation, recipe)),
        records=records,
        too_long=(*long_train, *long_validation),
        prompt_tokens=tuple(lengths),
    )


def _part(rows: Sequence[Row], recipe: Recipe) -> Sequence[Row]:
    """Return the validation prompts that the recipe asks for, in their order."""
    most = recipe.local.validationPrompts
    if most is None or most >= len(rows):
        return rows
    draw = Random(recipe.settings.validation_split_seed)  # noqa: S311 - repeatable, no secret
    return [rows[index] for index in sorted(draw.sample(range(len(rows)), most))]


def prompt_counter(recipe: Recipe, tokenizer: ChatTokenizer) -> Callable[[Row], int]:
    """Return the function that counts a row's prompt tokens, chat template included."""
    options = template_options(recipe)
    return lambda row: tokenizer.count(row.messages, **options)


def template_options(recipe: Recipe) -> dict[str, Any]:
    """Return what the chat template is given besides the messages."""
    effort = recipe.settings.reasoning_effort
    stated = recipe.local.chatTemplateKwargs
    return stated if effort is None else {"reasoning_effort": effort, **stated}


def _nothing_left(recipe: Recipe, long: Sequence[Row], counter: Callable[[Row], int]) -> DataError:
    shortest = min(counter(row) for row in long)
    return DataError(
        "every prompt is longer than maxPromptLength",
        where=long[0].source,
        expected=f"prompts of at most {recipe.settings.max_prompt_length} tokens",
        found=f"{len(long)} prompts, the shortest {shortest} tokens",
        hint=f"raise {_limiting(recipe)} to at least {shortest}",
    )


def _limiting(recipe: Recipe) -> str:
    """Name the key that limits the prompts."""
    if "maxPromptLength" not in recipe.overrides:
        return "maxPromptLength"
    return "local.overrides.maxPromptLength (for rft serve: limits.maxPromptLength in --mapping)"


def source_rows(recipe: Recipe, split: Split) -> Iterator[Row]:
    """Yield the rows of the training or the validation source, before any filter."""
    source = recipe.training_source if split == "train" else _validation_source(recipe)
    if isinstance(source, BuiltInData):
        return _built_in(recipe, source, split)
    return read_rows(source) if source is not None else iter(())


def _validation_source(recipe: Recipe) -> Path | BuiltInData | None:
    """Built-in training data brings its own validation data, unless a split is made."""
    stated = recipe.validation_source
    training = recipe.training_source
    is_built_in = isinstance(training, BuiltInData)
    if stated is None and is_built_in and recipe.settings.validation_split is None:
        return BuiltInData(training.name, None)
    return stated


def _built_in(recipe: Recipe, source: BuiltInData, split: Split) -> Iterator[Row]:
    default = DEFAULT_PROBLEM_COUNT if split == "train" else DEFAULT_VALIDATION_COUNT
    count, seed = source.count or default, PROBLEM_SEED
    records: Iterator[dict[str, Any]]
    if source.name == "orders":
        records = map(orders.order_record, orders.generate_orders(count, seed=seed, split=split))
    else:
        made = problems.generate(count, seed=seed, split=split)
        records = (problems.to_record(each, shape=recipe.record_shape) for each in made)
    for line, record in enumerate(records, start=1):
        yield row_from_record(record, source=f"{source.name} ({split})", line=line)
