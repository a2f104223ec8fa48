"""`rft estimate`: what the job on Bedrock and the rehearsal will take."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import add_path, add_recipe, add_repeatable, print_result
from bedrock_rft_sim.contract.limits import GRADER_RETRIES
from bedrock_rft_sim.contract.prices import BILLED

if TYPE_CHECKING:
    from bedrock_rft_sim.estimate import JobEstimate
    from bedrock_rft_sim.estimate.here import Memory
    from bedrock_rft_sim.estimate.money import Bill
    from bedrock_rft_sim.estimate.quantity import Quantity

MEGABYTE = 2**20
CENT = 0.01
"""Smaller sums get six digits after the point."""
HELP = "count steps, tokens, Lambda calls and cost before a job is started"
DESCRIPTION = """Without --measured, lengths and grading time are upper bounds from the declared
limits. A price that AWS does not publish must be given. With a run as --measured, what it took
stands beside the estimate."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    measured = "a run folder, or the .json of rft probe, to take lengths and times from"
    add_path(verb, "--measured", measured, metavar="PATH")
    price = f"a price in US dollars, e.g. rft-hour=40, by one of these names: {', '.join(BILLED)}"
    add_repeatable(verb, "--price", "NAME=USD", price)
    add_path(verb, "--prices", "a YAML or JSON file of NAME: USD, under the same names")
    seconds = "seconds that a training step takes on Bedrock, which publishes none"
    verb.add_argument("--seconds-per-step", type=_amount, metavar="S", help=seconds)
    once = "default: once if it looks as if it did"
    calls = f"how often the reward calls a judge model per answer ({once})"
    verb.add_argument("--judge-calls", type=_amount, metavar="N", help=calls)


def _amount(text: str) -> float:
    amount = float(text)
    if not (math.isfinite(amount) and amount >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, found {text}")
    return amount


def run(arguments: argparse.Namespace) -> int:
    """Estimate and print."""
    from bedrock_rft_sim.data import plan
    from bedrock_rft_sim.data.tokens import load_tokenizer
    from bedrock_rft_sim.estimate import estimate, read_measured
    from bedrock_rft_sim.estimate.money import price_list
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.runs import or_under_runs

    prices = price_list(file=arguments.prices, stated=arguments.price)
    source = arguments.measured
    measured = None if source is None else read_measured(or_under_runs(source))
    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
    found = estimate(
        recipe,
        data,
        steps,
        measured,
        prices=prices,
        step_seconds=arguments.seconds_per_step,
        judge_calls=arguments.judge_calls,
    )
    lines = _lines(found, recipe=arguments.recipe, total_steps=steps.total)
    print_result(arguments, found.as_json(), lines)
    return 0


def _lines(found: JobEstimate, *, recipe: str, total_steps: int) -> Iterator[str]:
    yield from _job(found)
    if found.bill is not None:
        yield from _bill(found.bill)
    yield from _here(found, recipe, total_steps)
    yield from (f"note     {remark}" for remark in found.remarks)


def _job(found: JobEstimate) -> Iterator[str]:
    job = found.job
    if job is None:
        yield "bedrock  no job: the data makes not one step of the request's batch size"
        return
    yield f"bedrock  {job.steps.total:,} steps, {job.steps.per_epoch:,} in an epoch"
    for name, quantity in (
        ("rollouts", job.rollouts),
        ("validation answers", job.validation_answers),
        ("prompt tokens", job.prompt_tokens),
        ("response tokens", job.response_tokens),
        ("Lambda invocations", job.lambda_invocations),
        ("Lambda GB-seconds", job.gb_seconds),
        ("judge calls", job.judge_calls),
    ):
        yield f"  {name:19} {worded(quantity)}"
    yield f"  {'':19} without retries: up to {GRADER_RETRIES} more of each event that fails"


def _bill(bill: Bill) -> Iterator[str]:
    yield f"cost     training hours {worded(bill.hours)}"
    for line in bill.lines:
        if line.usd is None:
            yield f"  {line.name:26} unknown: {line.missing}"
        else:
            yield f"  {line.name:26} {worded(line.usd, dollars=True)}"
            yield f"  {'':26}   {line.how}"
    name = "sum" if bill.complete and bill.on_top is None else "sum of what is known"
    yield f"  {name:26} {worded(bill.known, dollars=True)}"
    if bill.on_top is not None:
        yield f"  {'and on top of it':26} {worded(bill.on_top, dollars=True)}"


def _here(found: JobEstimate, recipe: str, total_steps: int) -> Iterator[str]:
    if found.memory is None:
        yield "here     memory unknown: the model's files are not on this machine yet"
    else:
        yield from _memory(found.memory)
    if found.seconds is not None:
        yield f"  seconds of {total_steps:,} steps: {worded(found.seconds)}{_lacks(found)}"
    if found.seconds is None or found.seconds.value is None:
        yield f"  {_to_measure(found, recipe)}"
    yield from _truth(found)


def _lacks(found: JobEstimate) -> str:
    """Say what a lower bound of the time leaves out."""
    assert found.seconds is not None
    if found.seconds.value is not None or found.measured is None:
        return ""
    if found.measured.step_seconds is None:
        return ": sampling alone, at the probe's pace; the updates are not measured yet"
    return ": the steps alone; no validation was measured"


def _memory(memory: Memory) -> Iterator[str]:
    names = ("weights", "gradients", "optimizer", "reference", "libraries")
    parts = [f"{name} {_megabytes(getattr(memory, name))}" for name in names]
    larger = f"{_megabytes(memory.cache)} while sampling or {_megabytes(memory.activations)} in the"
    yield (
        f"here     about {_megabytes(memory.total)} MB of {memory.place}, estimated: "
        f"{', '.join(parts)}; the larger of {larger} update (micro-batch {memory.micro_batch})"
    )
    if memory.free is None:
        yield (
            "  how much of it is free is not known (no answer from nvidia-smi), so this is for the "
            "smallest micro-batch; the run takes what fits into half of what it finds free"
        )
    elif memory.total > memory.free:
        yield f"  more than the {_megabytes(memory.free)} MB that are free now"


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f}"


def _to_measure(found: JobEstimate, recipe: str) -> str:
    """Say how the time becomes known."""
    lacks = "time unknown: no step was measured" if found.seconds is None else "to know all of it"
    if found.run_at_hand is not None:
        return f"{lacks}; --measured {found.run_at_hand} takes it from a finished run of this model"
    return (
        f"{lacks}; rft run {recipe} --set local.maxSteps=3 --name three-steps, "
        "then --measured runs/three-steps"
    )


def _truth(found: JobEstimate) -> Iterator[str]:
    """Put what a run measured beside what is estimated."""
    seen, truth = found.measured, found.truth
    if seen is None or truth is None:
        return
    yield f"measured by {seen.source}"
    yield f"  seconds of a step   {worded(seen.step_seconds)}"
    if seen.total_seconds is not None:
        ratio = _ratio(truth.seconds_of_estimate)
        yield f"  seconds in all      {seen.total_seconds:,.1f}{ratio}"
    if seen.peak_memory_mb is not None:
        ratio = _ratio(truth.memory_of_estimate)
        yield f"  peak memory         {seen.peak_memory_mb:,.0f} MB{ratio}"


def _ratio(share: float | None) -> str:
    if share is None:
        return ", no ratio: it had other settings or other steps than are estimated here"
    return f", {share:.2f} of the estimate"


def worded(quantity: Quantity | None, *, dollars: bool = False) -> str:
    """Say a number with its interval and what it rests on; None is not known at all."""
    figure = _dollars if dollars else _count
    if quantity is None:
        return "unknown"
    if quantity.value is not None:
        says = figure(quantity.value)
        ends = [figure(end) for end in (quantity.low, quantity.high) if end is not None]
        if len(set(ends)) > 1:
            says += f" ({ends[0]} to {ends[1]})"
    elif quantity.high is not None:
        says = f"at most {figure(quantity.high)}"
    else:
        says = "unknown" if quantity.low is None else f"at least {figure(quantity.low)}"
    return says if quantity.basis == "exact" else f"{says}  {quantity.basis}"


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= CENT or usd == 0 else f"${usd:.6f}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.3g}"  # noqa: PLR2004
