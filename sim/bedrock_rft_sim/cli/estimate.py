"""`rft estimate`: what the job on Bedrock and the rehearsal will take."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    add_flag,
    add_path,
    add_recipe,
    add_repeatable,
    add_source,
    command,
    print_result,
)
from bedrock_rft_sim.contract.limits import GRADER_RETRIES
from bedrock_rft_sim.contract.prices import BILLED

if TYPE_CHECKING:
    from bedrock_rft_sim.cli.progress import Progress
    from bedrock_rft_sim.estimate import JobEstimate, Measured
    from bedrock_rft_sim.estimate.here import Memory
    from bedrock_rft_sim.estimate.money import Bill
    from bedrock_rft_sim.estimate.quantity import Quantity
    from bedrock_rft_sim.estimate.ways import Fit
    from bedrock_rft_sim.recipe import Recipe

MEGABYTE = 2**20
GIGABYTE = 10**9
NOT_ONE_STEP = "the data make not one step of the request's batch size"
MEASURED_STEPS = 2
MEASURED_PROMPTS = 16
"""Of the validation that is measured; the recipe's own takes in proportion to its prompts."""
CENT = 0.01
"""Smaller sums get six digits after the point."""
MEMORY_PARTS = {
    "weights": "4 bytes a weight; frozen ones 2 below sums in bfloat16, 0.516 in nf4",
    "gradients": "4 bytes a trained weight",
    "optimizer": "AdamW's two moments, 8 bytes a trained weight",
    "reference": "a second copy of the weights, where all are trained",
    "libraries": "Python, torch, transformers and TRL",
    "plain": "copies of linear layers that the engine native samples with, or vLLM's share",
    "cache": "keys and values of all answers of a step, while they are sampled",
    "activations": "of one pass of the update, at its full length",
}
HELP = "count steps, tokens, Lambda calls and cost before a job is started"
DESCRIPTION = """Without --measured or --measure, lengths and grading time are upper bounds from the
declared limits. A price that AWS does not publish must be given. With a run as --measured, what it
took stands beside the estimate."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    measured = "a run, latest, or the .json of rft probe, to take lengths and times from"
    add_source(verb, "--measured", "PATH", measured)
    steps = f"measure first: {MEASURED_STEPS} steps and a small validation, which takes a while"
    add_flag(verb, "--measure", steps)
    price = f"a price in US dollars, e.g. rft-hour=40, by one of these names: {', '.join(BILLED)}"
    add_repeatable(verb, "--price", "NAME=USD", price)
    add_path(verb, "--prices", "a YAML or JSON file of NAME: USD, under the same names")
    seconds = "seconds that a training step takes on Bedrock, which publishes none"
    verb.add_argument("--seconds-per-step", type=_amount, metavar="S", help=seconds)
    once = "default: once if it looks as if it did"
    calls = f"how often the reward calls a judge model per answer ({once})"
    verb.add_argument("--judge-calls", type=_amount, metavar="N", help=calls)
    gpus = "tell which ways of training fit on so many GPUs of so many GB each, e.g. 8x80"
    add_repeatable(verb, "--gpus", "COUNTxGB", gpus)


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
    from bedrock_rft_sim.estimate.ways import read_gpus
    from bedrock_rft_sim.recipe import load_recipe

    prices = price_list(file=arguments.prices, stated=arguments.price)
    source = arguments.measured
    if source is not None and arguments.measure:
        arguments.parser.error("--measure: --measured has been measured already")
    measured = None if source is None else read_measured(source)
    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    arguments.progress.at(f"reading {recipe.local.trainingData}")
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
    if arguments.measure:
        measured = _measure(arguments, recipe)
    found = estimate(
        recipe,
        data,
        steps,
        measured,
        prices=prices,
        step_seconds=arguments.seconds_per_step,
        judge_calls=arguments.judge_calls,
        gpus=[read_gpus(text) for text in arguments.gpus],
    )
    amount = plan.amount_words(recipe.settings, steps, validated=len(data.validation))
    print_result(arguments, found.as_json(), _lines(found, arguments, amount))
    return 0


def _measure(arguments: argparse.Namespace, recipe: Recipe) -> Measured:
    """Run a few steps of the recipe, with a small validation, in a folder that is then removed."""
    from bedrock_rft_sim.estimate import read_measured
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.train.run import rehearse

    prompts = min(MEASURED_PROMPTS, recipe.local.validationPrompts or MEASURED_PROMPTS)
    few = (
        f"local.maxSteps={MEASURED_STEPS}",
        f"local.validationPrompts={prompts}",
        "local.reportTo=[]",
    )
    small = load_recipe(arguments.recipe, sets=[*arguments.sets, *few])
    progress: Progress = arguments.progress
    with TemporaryDirectory(prefix="rft-measure-") as parent:
        result = rehearse(
            small, parent=parent, name="two-steps", say=progress.say, doing=progress.doing
        )
        return read_measured(result.folder)


def _lines(found: JobEstimate, arguments: argparse.Namespace, amount: str) -> Iterator[str]:
    yield from _job(found)
    if found.bill is not None:
        yield from bill_lines(found.bill)
    yield from _here(found, arguments, amount)
    yield from (f"note     {remark}" for remark in found.remarks)


def _job(found: JobEstimate) -> Iterator[str]:
    job = found.job
    if job is None:
        yield f"bedrock  no job: {NOT_ONE_STEP}"
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


def bill_lines(bill: Bill) -> Iterator[str]:
    """Yield the bill in words."""
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


def _here(found: JobEstimate, arguments: argparse.Namespace, amount: str) -> Iterator[str]:
    yield f"here     {amount}"
    if found.memory is None:
        yield "  memory unknown: the model's files are not on this machine yet"
    else:
        yield from _memory(found.memory)
    yield from _ways(found.ways)
    if found.seconds is not None:
        yield f"  seconds in all      {worded(found.seconds)}{_lacks(found)}"
    if found.seconds is None or found.seconds.value is None:
        yield from _to_measure(found, arguments)
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
    from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY

    yield f"  memory              about {_megabytes(memory.total)} MB of {memory.place}, estimated"
    for name, what in MEMORY_PARTS.items():
        yield f"    {name:12} {_megabytes(getattr(memory, name)):>9} MB  {what}"
    sampling = "cache" if memory.place == GPU_MEMORY else "plain and cache"
    yield (
        f"    of {sampling} and of activations the larger counts; answers in one pass: "
        f"{memory.micro_batch} (local.passMemory caps it)"
    )
    if memory.free is None:
        yield (
            "  how much of it is free is not known (no answer from nvidia-smi), so this is for the "
            "smallest micro-batch; the run takes what fits into half of what it finds free"
        )
    elif memory.total > memory.free:
        yield f"  more than the {_megabytes(memory.free)} MB that are free now"


def _ways(fits: Sequence[Fit]) -> Iterator[str]:
    """Yield a table: a row for each way, a column for each set of GPUs; and what each way is."""
    if not fits:
        return
    columns = list(dict.fromkeys(fit.gpus for fit in fits))
    yield "  GB that a GPU needs, with one rollout in a pass; + where it has as much"
    yield f"    {'':14}" + "".join(f"{gpus.words:>12}" for gpus in columns)
    found = {(fit.way, fit.gpus): fit for fit in fits}
    for way in dict.fromkeys(fit.way for fit in fits):
        cells = [_cell(found.get((way, gpus))) for gpus in columns]
        yield f"    {way.name:14}" + "".join(f"{cell:>12}" for cell in cells)
    yield from (f"    {way.name}: {way.says}" for way in dict.fromkeys(fit.way for fit in fits))
    yield "    several GPUs hold a copy of the model each (DDP); FSDP2 shares it out"


def _cell(fit: Fit | None) -> str:
    return "" if fit is None else f"{fit.bytes / GIGABYTE:,.1f} {'+' if fit.fits else '-'}"


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f}"


def _to_measure(found: JobEstimate, arguments: argparse.Namespace) -> Iterator[str]:
    """Say how the time becomes known."""
    lacks = "time unknown: no step was measured" if found.seconds is None else "to know all of it"
    if found.run_at_hand is not None:
        yield f"  {lacks}; a finished run of this model has it:"
        yield f"  {command(arguments, 'estimate', '--measured', found.run_at_hand)}"
    else:
        yield f"  {lacks}; to measure it here:"
        yield f"  {command(arguments, 'estimate', '--measure')}"


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
