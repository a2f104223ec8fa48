"""One estimate: what the job will do and cost on Bedrock, and what the rehearsal takes here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sim.errors import DataError
from sim.estimate import here
from sim.estimate.measured import Measured
from sim.estimate.model_size import model_size
from sim.estimate.money import Bill, bill
from sim.estimate.price_list import PriceList, price_list
from sim.estimate.quantity import Quantity
from sim.estimate.workload import Workload, steps_of, workload
from sim.plan import Data, Steps
from sim.recipe import Recipe
from sim.recipe.sent import as_sent


@dataclass(frozen=True)
class JobEstimate:
    """What is known before a job, and what it rests on."""

    job: Workload | None
    """The request as sent; None where it has too few prompts for one step."""
    bill: Bill | None
    memory: here.Memory | None
    """Of the rehearsal; None where the model is not on this machine yet."""
    seconds: Quantity | None
    """Of the rehearsal; None where no step was measured."""
    measured: Measured | None
    remarks: tuple[str, ...]
    """What the numbers rest on, and what would make them better."""

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON-ready data."""
        record = asdict(self)
        if self.bill is not None:
            record["bill"] |= {
                "known_usd": asdict(self.bill.known),
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
    free_bytes: int | None = None,
) -> JobEstimate:
    """Estimate the job and the rehearsal; `steps` are the rehearsal's.

    `step_seconds` is what a step takes on Bedrock, `judge_calls` how often the reward asks a judge
    model per answer, `free_bytes` what the micro-batch may fill (default: this machine's).
    """
    sent = as_sent(recipe)
    try:
        job = workload(sent, data, steps_of(sent, data), measured, judge_calls=judge_calls)
    except DataError:
        job = None
    size = model_size(recipe.model)
    free = _free_bytes() if free_bytes is None else free_bytes
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
        memory=None if size is None else here.memory(recipe.settings, size, free_bytes=free),
        seconds=here.seconds(recipe, steps, measured),
        measured=measured,
        remarks=tuple(_remarks(recipe, sent, measured, job)),
    )


def _free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _remarks(
    recipe: Recipe, sent: Recipe, seen: Measured | None, job: Workload | None
) -> list[str]:
    remarks = ["tokens are counted with the tokenizer of local.model; the cloud model's differs"]
    if job is None:
        batch = sent.settings.batch_size
        remarks.append(f"the request's batch of {batch} prompts is larger than the data")
    elif job.judge_calls.basis == "assumed" and job.judge_calls.value:
        remarks.append(
            "the reward looks as if it asks a model on Bedrock, taken for once per answer; "
            "--judge-calls says how often"
        )
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
    if seen.step_seconds is not None and sent.settings != recipe.settings:
        remarks.append("the seconds and the memory are those of this machine's overrides")
    return remarks
