"""One estimate: what the job will do and cost on Bedrock, and what the rehearsal takes here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.estimate import here
from bedrock_rft_sim.estimate.free_memory import FreeMemory, free_memory
from bedrock_rft_sim.estimate.measured import Measured
from bedrock_rft_sim.estimate.model_size import model_size
from bedrock_rft_sim.estimate.money import Bill, bill
from bedrock_rft_sim.estimate.price_list import PriceList, price_list
from bedrock_rft_sim.estimate.quantity import Quantity
from bedrock_rft_sim.estimate.runs_at_hand import finished_run
from bedrock_rft_sim.estimate.workload import Workload, steps_of, workload
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs.find import RUNS


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

    job: Workload | None
    """The request as sent; None where it has too few prompts for one step."""
    bill: Bill | None
    memory: here.Memory | None
    """Of the rehearsal; None where the model is not on this machine yet."""
    seconds: Quantity | None
    """Of the rehearsal; a lower bound where only sampling was measured, None where nothing was."""
    measured: Measured | None
    truth: Truth | None
    """None where no run was measured."""
    run_at_hand: str | None
    """A finished run of the same model whose times could be taken, where none are."""
    remarks: tuple[str, ...]
    """What the numbers rest on, and what would make them better."""

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON-ready data."""
        record = asdict(self)
        if self.bill is not None:
            record["bill"] |= {
                "known_usd": asdict(self.bill.known),
                "on_top_usd": None if self.bill.on_top is None else asdict(self.bill.on_top),
                "complete": self.bill.complete,
            }
        if self.memory is not None:
            record["memory"]["total"] = self.memory.total
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
    runs: Path = RUNS,
) -> JobEstimate:
    """Estimate the job and the rehearsal; `data` and `steps` are the rehearsal's.

    `step_seconds` is what a step takes on Bedrock, `judge_calls` how often the reward asks a judge
    model per answer, `free` what the micro-batch may fill (default: this machine's), `runs` where a
    finished run is looked for, to be named.
    """
    sent = recipe.as_sent()
    job = _job(recipe, sent, data, measured, judge_calls=judge_calls)
    size = model_size(recipe.model)
    memory = (
        None
        if size is None
        else here.memory(
            recipe.settings,
            size,
            free=free or free_memory(recipe.local.device),
            validation_prompts=len(data.validation),
        )
    )
    seconds = here.seconds(recipe, steps, measured, validation_prompts=len(data.validation))
    is_timed = seconds is not None and seconds.value is not None
    found = None if is_timed else finished_run(recipe, runs)
    return JobEstimate(
        job=job,
        bill=None
        if job is None
        else bill(
            job,
            price_list() if prices is None else prices,
            step_seconds=step_seconds,
            stores=recipe.dialect == "bedrock",
        ),
        memory=memory,
        seconds=seconds,
        measured=measured,
        truth=_truth(recipe, steps, measured, memory, seconds),
        run_at_hand=None if found is None else str(found),
        remarks=tuple(_remarks(recipe, sent, measured, job)),
    )


def _job(
    recipe: Recipe,
    sent: Recipe,
    data: Data,
    measured: Measured | None,
    *,
    judge_calls: float | None,
) -> Workload | None:
    """Count the request as sent; None where it has too few prompts for one step."""
    try:
        own = data if _has_same_prompts(recipe, sent) else _read_again(sent)
        return workload(sent, own, steps_of(sent, own), measured, judge_calls=judge_calls)
    except DataError:
        return None


def _has_same_prompts(recipe: Recipe, sent: Recipe) -> bool:
    """Whether the override leaves which prompts are dropped, and how long they are, alone."""
    names = ("max_prompt_length", "reasoning_effort")
    return all(getattr(recipe.settings, name) == getattr(sent.settings, name) for name in names)


def _read_again(sent: Recipe) -> Data:
    return plan.read_data(sent, load_tokenizer(sent.model))


def _truth(
    recipe: Recipe,
    steps: Steps,
    seen: Measured | None,
    memory: here.Memory | None,
    seconds: Quantity | None,
) -> Truth | None:
    if seen is None or seen.step_seconds is None:
        return None
    peak, total = seen.peak_memory_mb, seen.total_seconds
    is_whole = seen.steps == steps.total and seen.has_settings_of(recipe)
    return Truth(
        memory_of_estimate=peak * here.MEGABYTE / memory.total
        if peak is not None and memory is not None and seen.has_settings_of(recipe)
        else None,
        seconds_of_estimate=total / seconds.value
        if is_whole and total is not None and seconds is not None and seconds.value
        else None,
    )


def _remarks(
    recipe: Recipe, sent: Recipe, seen: Measured | None, job: Workload | None
) -> list[str]:
    remarks = ["tokens are counted with the tokenizer of local.model; the cloud model's differs"]
    if job is None:
        batch = sent.settings.batch_size
        remarks.append(
            f"the request's batch of {batch} prompts is larger than the data that its "
            "maxPromptLength leaves"
        )
    else:
        remarks += _on_judge(job)
    if seen is None:
        remarks.append(
            "nothing was measured, so lengths and grading time are upper bounds from the declared "
            "limits; rft probe, then --measured, narrows them"
        )
        return remarks
    remarks.append(f"lengths and grading time from {seen.source}; another model's differ")
    if seen.cut_share and seen.limit < sent.settings.inference_max_tokens:
        remarks.append(
            f"{100 * seen.cut_share:.1f} % of the measured answers were cut at {seen.limit} "
            "tokens; the upper bound lets those go on to the request's inferenceMaxTokens"
        )
    return remarks + _on_time(recipe, sent, seen)


def _on_judge(job: Workload) -> list[str]:
    if job.judge_calls is None:
        return ["the reward's text could not be looked at for calls of a judge model"]
    if job.judge_calls.basis != "assumed" or not job.judge_calls.value:
        return []
    return [
        "the reward looks as if it asks a model on Bedrock, taken for once per answer; "
        "--judge-calls says how often"
    ]


def _on_time(recipe: Recipe, sent: Recipe, seen: Measured) -> list[str]:
    if seen.step_seconds is None and seen.sampling_seconds is None:
        return []
    if not seen.is_of_model(recipe):
        return [f"its seconds are not used: they are those of {seen.model}"]
    remarks = []
    if sent.settings != recipe.settings:
        remarks.append("the seconds and the memory are those of this machine's overrides")
    limit = recipe.settings.inference_max_tokens
    if seen.step_seconds is not None and seen.limit != limit:
        remarks.append(
            f"the measured steps allowed {seen.limit} tokens an answer, this recipe {limit}; "
            "longer answers take longer"
        )
    return remarks
