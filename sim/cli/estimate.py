"""`rft estimate`: what the job on Bedrock and the rehearsal will take."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli.arguments import add_common

if TYPE_CHECKING:
    from rich.console import Console

    from sim.estimate import JobEstimate, Quantity

MEGABYTE = 2**20


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "estimate",
        help="count steps, tokens, Lambda calls and cost before a job is started",
        description="Without --measured, lengths and grading time are upper bounds from the "
        "declared limits. A price that AWS does not publish is asked for.",
    )
    add_common(verb)
    verb.add_argument(
        "--measured",
        type=Path,
        metavar="PATH",
        help="a run folder, or the .json of rft probe, to take lengths and times from",
    )
    verb.add_argument(
        "--price",
        action="append",
        default=[],
        dest="price",
        metavar="NAME=USD",
        help="a price in US dollars, e.g. rft-hour=40 (repeatable)",
    )
    verb.add_argument(
        "--prices", type=Path, metavar="FILE", help="a YAML or JSON file of NAME: USD"
    )
    verb.add_argument(
        "--seconds-per-step", type=float, metavar="S", help="what a step takes on Bedrock"
    )
    verb.add_argument(
        "--judge-calls", type=float, metavar="N", help="calls of a judge model per answer"
    )
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Estimate and print."""
    from sim import plan
    from sim.estimate import estimate, price_list, read_measured
    from sim.recipe import load_recipe
    from sim.runfolder import or_under_runs
    from sim.tokens import load_tokenizer

    _check_numbers(arguments)
    prices = price_list(file=arguments.prices, stated=arguments.price)
    measured = (
        None if arguments.measured is None else read_measured(or_under_runs(arguments.measured))
    )
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
    if arguments.json:
        print(json.dumps(found.as_json()))
    else:
        _print(found, total_steps=steps.total)
    return 0


def _check_numbers(arguments: argparse.Namespace) -> None:
    import math

    from sim.errors import RecipeError

    for option, value in (
        ("--seconds-per-step", arguments.seconds_per_step),
        ("--judge-calls", arguments.judge_calls),
    ):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise RecipeError(
                "not a number that can be", where=option, expected="at least 0", found=str(value)
            )


def _print(found: JobEstimate, *, total_steps: int) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    _print_job(console, found)
    _print_bill(console, found)
    _print_here(console, found, total_steps)
    for remark in found.remarks:
        console.print(f"rests on {remark}")


def _print_job(console: Console, found: JobEstimate) -> None:
    job = found.job
    if job is None:
        console.print("bedrock  no job: the data makes not one step of the request's batch size")
        return
    console.print(f"bedrock  {job.steps.total:,} steps, {job.steps.per_epoch:,} in an epoch")
    for name, quantity in (
        ("rollouts", job.rollouts),
        ("validation answers", job.validation_answers),
        ("prompt tokens", job.prompt_tokens),
        ("response tokens", job.response_tokens),
        ("Lambda invocations", job.lambda_invocations),
        ("Lambda GB-seconds", job.gb_seconds),
        ("judge calls", job.judge_calls),
    ):
        console.print(f"  {name:19} {worded(quantity)}")


def _print_bill(console: Console, found: JobEstimate) -> None:
    if found.bill is None:
        return
    hours = found.bill.hours
    console.print("cost     hours " + ("unknown" if hours is None else worded(hours)))
    for line in found.bill.lines:
        told = f"unknown: {line.missing}" if line.usd is None else worded(line.usd, dollars=True)
        console.print(f"  {line.name:26} {told}")
        console.print(f"  {'':26}   {line.how}")
    name = "sum" if found.bill.complete else "sum of what is known"
    console.print(f"  {name:26} {worded(found.bill.known, dollars=True)}")


def _print_here(console: Console, found: JobEstimate, total_steps: int) -> None:
    memory, seen = found.memory, found.measured
    if memory is None:
        console.print("here     memory unknown: the model's files are not on this machine yet")
    else:
        parts = ("weights", "gradients", "optimizer", "reference", "activations", "libraries")
        told = ", ".join(f"{name} {getattr(memory, name) / MEGABYTE:,.0f}" for name in parts)
        console.print(
            f"here     memory at most {memory.total / MEGABYTE:,.0f} MB, estimated: {told}; "
            f"micro-batch {memory.micro_batch}"
        )
    if found.seconds is None:
        console.print(
            "  time unknown: no step was measured; rft run --set local.maxSteps=3, then --measured"
        )
    else:
        console.print(f"  seconds of {total_steps:,} steps: {worded(found.seconds)}")
    if seen is not None and seen.peak_memory_mb is not None and seen.total_seconds is not None:
        console.print(
            f"  measured by {seen.source}: {seen.peak_memory_mb:,.0f} MB at most, "
            f"{seen.total_seconds:,.1f} s in all"
        )


def worded(quantity: Quantity, *, dollars: bool = False) -> str:
    """Say a number with its interval and what it rests on."""

    def figure(value: float) -> str:
        if dollars:
            return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.6f}"
        return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.3g}"  # noqa: PLR2004

    if quantity.value is None:
        told = "unknown" if quantity.high is None else f"at most {figure(quantity.high)}"
    else:
        told = figure(quantity.value)
        if quantity.low is not None and quantity.high is not None and quantity.low < quantity.high:
            told += f" ({figure(quantity.low)} to {figure(quantity.high)})"
    return told if quantity.basis == "exact" else f"{told}  {quantity.basis}"
