"""One estimate: what the job will do and cost on Bedrock, and what the rehearsal takes here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine.device import MEGABYTE
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.estimate import here
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, FreeMemory, free_memory
from bedrock_rft_sim.estimate.measured import Measured, finished_run
from bedrock_rft_sim.estimate.model_size import model_size
from bedrock_rft_sim.estimate.money import Bill, PriceList, bill, price_list
from bedrock_rft_sim.estimate.quantity import Quantity
from bedrock_rft_sim.estimate.ways import GB, Fit, Gpus, ways
from bedrock_rft_sim.estimate.workload import JobCounts, job_counts, steps_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs.find import RUNS
from bedrock_rft_sim.stats.shares import percent


@dataclass(frozen=True)
class Truth:
    """What a run of this recipe has measured, as a share of what was estimated."""

    memory_of_estimate: float | None
    """None where the run had another model or other settings, or its memory is not known."""
    seconds_of_estimate: float | None
    """All recorded seconds by those of the estimate; None unless all of its steps were run."""


@dataclass(frozen=True)
class JobEstimate:
    """What is known before a job, and what it rests on."""

    job: JobCounts | None
    """The request as sent; None where it has too few prompts for one step."""
    bill: Bill | None
    memory: here.Memory | None
    """Of the rehearsal; None where the model is not on this machine yet."""
    ways: tuple[Fit, ...]
    """Which ways of training fit on the GPUs asked about, or on this one if the recipe does not."""
    seconds: Quantity | None
    """Of the rehearsal; a lower bound where only sampling was measured, None where nothing was."""
    measured: Measured | None
    truth: Truth | None
    """None where no run was measured."""
    run_at_hand: str | None
    """A finished run of the same model whose times could be taken, where none are."""
    answers: int
    """That the rehearsal samples in its steps."""
    validation_answers: int
    """That it samples in its validations."""
    remarks: tuple[str, ...]
    """What the numbers rest on, and what would make them better."""

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON-ready data."""
        record = asdict(self)
        if self.bill is not None:
            on_top = None if self.bill.on_top is None else asdict(self.bill.on_top)
            record["bill"] |= {"known_usd": asdict(self.bill.known), "on_top_usd": on_top}
            record["bill"]["complete"] = self.bill.complete
        if self.memory is not None:
            record["memory"]["total"] = self.memory.total
        for told, fit in zip(record["ways"], self.ways, strict=True):
            told["fits"] = fit.fits
        return record


def estimate(
    recipe: Recipe,
    data: Data,
    steps: Steps,
    measured: Measured | None = None,
    *,
    prices: PriceList | None = None,
    step_seconds: float | None = None,
    judge_calls: float | None = None,
    free: FreeMemory | None = None,
    gpus: Sequence[Gpus] = (),
    runs: Path = RUNS,
) -> JobEstimate:
    """Estimate the job and the rehearsal; `data` and `steps` are the rehearsal's.

    `step_seconds` is what a step takes on Bedrock, `judge_calls` how often the reward asks a judge
    model per answer, `free` what the micro-batch may fill (default: this machine's), `gpus` which
    ones every way of training is worked out for, `runs` where a finished run is looked for, to be
    named.
    """
    sent = recipe.as_sent()
    job = _job(recipe, sent, data, measured, judge_calls=judge_calls)
    held_out = len(data.validation)
    size, memory = model_size(recipe.model), None
    if size is not None:
        free = free or free_memory(recipe.local.device)
        memory = here.memory(
            recipe.settings,
            size,
            free=free,
            dtype=here.dtype_of_sums(recipe.local.dtype, free),
            engine=recipe.local.engine,
            vllm_share=recipe.local.vllm_share,
            validation_prompts=held_out,
            pass_mb=recipe.local.passMemory,
        )
    seconds = here.seconds(recipe, steps, measured, validation_prompts=held_out)
    is_timed = seconds is not None and seconds.value is not None
    found = None if is_timed else finished_run(recipe, runs)
    prices, stores = price_list() if prices is None else prices, recipe.dialect == "bedrock"
    return JobEstimate(
        job=job,
        bill=None if job is None else bill(job, prices, step_seconds=step_seconds, stores=stores),
        memory=memory,
        ways=ways(recipe.settings, size, gpus or _gpu_here(memory)) if size and memory else (),
        seconds=seconds,
        measured=measured,
        truth=_truth(recipe, steps, measured, memory, seconds),
        run_at_hand=None if found is None else str(found),
        answers=steps.total * recipe.settings.rollouts_per_step,
        validation_answers=len(steps.validations) * held_out,
        remarks=tuple(_remarks(recipe, sent, measured, job)),
    )


def _gpu_here(found: here.Memory) -> tuple[Gpus, ...]:
    """Return this machine's GPU where the recipe does not fit into what is free of it."""
    is_short = found.place == GPU_MEMORY and found.free is not None and found.total > found.free
    return (Gpus(1, round(found.free / GB, 1)),) if is_short and found.free else ()


def _job(
    recipe: Recipe, sent: Recipe, data: Data, seen: Measured | None, *, judge_calls: float | None
) -> JobCounts | None:
    """Count the request as sent; None where it has too few prompts for one step.

    The data are read again where `local:` changes which prompts are dropped, how long they are, or
    how many of them validate.
    """
    names = ("max_prompt_length", "reasoning_effort")
    is_changed = any(getattr(recipe.settings, n) != getattr(sent.settings, n) for n in names)
    try:
        if is_changed or recipe.local.validationPrompts is not None:
            data = plan.read_data(sent, load_tokenizer(sent.model))
        return job_counts(sent, data, steps_of(sent, data), seen, judge_calls=judge_calls)
    except DataError:
        return None


def _truth(
    recipe: Recipe,
    steps: Steps,
    seen: Measured | None,
    memory: here.Memory | None,
    seconds: Quantity | None,
) -> Truth | None:
    if seen is None or seen.step_seconds is None:
        return None
    if not seen.has_settings_of(recipe):
        return Truth(None, None)
    bytes_seen = None if seen.peak_memory_mb is None else seen.peak_memory_mb * MEGABYTE
    seconds_seen = seen.total_seconds if seen.steps == steps.total else None
    return Truth(
        memory_of_estimate=_share(bytes_seen, None if memory is None else memory.total),
        seconds_of_estimate=_share(seconds_seen, None if seconds is None else seconds.value),
    )


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _remarks(
    recipe: Recipe, sent: Recipe, seen: Measured | None, job: JobCounts | None
) -> Iterator[str]:
    yield "tokens are counted with the tokenizer of local.model; the cloud model's differs"
    if job is None:
        yield (
            f"the request's batch of {sent.settings.batch_size} prompts is larger than the data "
            "that its maxPromptLength leaves"
        )
    elif job.judge_calls is None:
        yield "the reward's text could not be searched for calls of a judge model"
    elif job.judge_calls.basis == "assumed" and job.judge_calls.value:
        yield (
            "the reward looks as if it asks a model on Bedrock, taken for once per answer; "
            "--judge-calls says how often"
        )
    if seen is None:
        yield (
            "nothing was measured, so lengths and grading time are upper bounds from the declared "
            "limits; rft probe, then --measured, narrows them"
        )
        return
    yield f"lengths and grading time from {seen.source}; another model's differ"
    if seen.cut_share and seen.limit < sent.settings.inference_max_tokens:
        yield (
            f"{percent(seen.cut_share)} of the measured answers were cut at {seen.limit} "
            "tokens; the upper bound lets those go on to the request's inferenceMaxTokens"
        )
    if seen.step_seconds is not None or seen.sampling_seconds is not None:
        yield from _remarks_on_time(recipe, sent, seen)


def _remarks_on_time(recipe: Recipe, sent: Recipe, seen: Measured) -> Iterator[str]:
    if not seen.is_of_model(recipe):
        yield f"its seconds are not used: they are those of {seen.model}"
        return
    if sent.settings != recipe.settings:
        yield "the seconds and the memory are those of this machine's overrides"
    limit = recipe.settings.inference_max_tokens
    if seen.step_seconds is not None and seen.limit != limit:
        yield (
            f"the measured steps allowed {seen.limit} tokens an answer, this recipe {limit}; "
            "longer answers take longer"
        )
