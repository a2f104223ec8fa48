"""`rft probe`: is the task learnable by this model, before a step is trained?"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_path, add_recipe, print_result
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.errors import RecipeError

if TYPE_CHECKING:
    from bedrock_rft_sim.probe.endpoint import Endpoint
    from bedrock_rft_sim.probe.filtered import Filtered
    from bedrock_rft_sim.probe.intervals import Share
    from bedrock_rft_sim.probe.lengths import Length
    from bedrock_rft_sim.probe.report import ProbeReport
    from bedrock_rft_sim.probe.run import ProbePlan

KEY_VARIABLE = "OPENAI_API_KEY"
FOLDER = Path("probes")
SHOWN_FAULTED = 5
TEMPERATURE_MOST = 2.0
"""The highest that AWS's recipes allow."""
HELP = "sample a model a few times per prompt and say whether it can learn the task"
DESCRIPTION = """Grade sampled answers with the recipe's reward: success rate, dead prompts, mixed
groups, lengths, and the first point of the reward curve, with 95 % intervals. A killed probe goes
on where it was. Exit code 1: more than 5 % of the samples failed."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    verb.add_argument("--prompts", type=int, metavar="N", help="prompts to draw (default 64)")
    verb.add_argument("--samples", type=int, metavar="K", help="samples of each (default 8)")
    temperature = (
        "sample at another temperature than the run's; AWS's best-practices text looks at the base "
        "model at about 0.6, which shows what it can do, not what the first step will show"
    )
    verb.add_argument("--temperature", type=_above_zero, metavar="T", help=temperature)
    endpoint = "an OpenAI-compatible endpoint, instead of local.model"
    verb.add_argument("--endpoint", metavar="URL", help=endpoint)
    verb.add_argument("--endpoint-model", metavar="NAME", help="the model's name there")
    key = f"the environment variable that holds its key (default {KEY_VARIABLE}, if set)"
    verb.add_argument("--endpoint-key-env", metavar="NAME", help=key)
    result = "default probes/RECIPE-ID.json; ID tells models, prompts and limits apart"
    add_path(verb, "--out", f"the result ({result})", metavar="FILE.json")
    kept = "write the training data without the prompts whose samples were all graded alike"
    add_path(verb, "--filtered", kept, metavar="FILE.jsonl")
    add_flag(verb, "--force", "let --filtered replace a file of that name")


def run(arguments: argparse.Namespace) -> int:
    """Probe, print what was found, and write the filtered data if that was chosen."""
    from bedrock_rft_sim.diagnosis.probe import advice_as_json, diagnose_probe, learnable
    from bedrock_rft_sim.probe.filtered import write_filtered
    from bedrock_rft_sim.probe.run import default_name, plan_probe, probe, save_record
    from bedrock_rft_sim.recipe import load_recipe

    sizes = {"prompts": arguments.prompts, "samples": arguments.samples}
    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    planned = plan_probe(
        recipe,
        **{name: size for name, size in sizes.items() if size is not None},
        temperature=arguments.temperature,
        elsewhere=arguments.endpoint is not None,
    )
    endpoint = _endpoint(arguments, planned)
    out = arguments.out or FOLDER / default_name(planned, endpoint)
    _check_target(arguments, planned, out)
    report = probe(planned, out=out, endpoint=endpoint, say=say, doing=arguments.progress.doing)
    advice = [advice_as_json(each) for each in diagnose_probe(report, planned.recipe.settings)]
    verdict, why = learnable(report, planned.recipe.settings)
    record = {**report.as_json(), "verdict": verdict, "why": why, "advice": advice}
    save_record(out, record)
    path, filtered = arguments.filtered, None
    if path is not None and report.ok:  # else too many failed to know which prompts are dead
        filtered = write_filtered(path, planned.recipe, report.prompts, force=arguments.force)
    kept = {} if path is None else {"filtered": filtered and dataclasses.asdict(filtered)}
    lines = [
        *_lines(report),
        f"verdict  {verdict}: {why}",
        *_other_temperature(arguments.temperature, recipe.settings.temperature),
        *(f"{each['level']:8} {each['words']} ({each['source']})" for each in advice),
        *(() if path is None else _filtered_lines(filtered)),
        f"written  {out}",
    ]
    print_result(arguments, {**record, **kept}, lines)
    return 0 if report.ok else EXIT_FAILED


def _other_temperature(chosen: float | None, own: float) -> Iterator[str]:
    if chosen not in (None, own):
        yield f"  sampled at temperature {chosen:g}, the run samples at {own:g}: no forecast of it"


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value <= TEMPERATURE_MOST:
        expected = f"above 0 and at most {TEMPERATURE_MOST:g}"
        raise argparse.ArgumentTypeError(f"expected a number {expected}, found {text}")
    return value


def _check_target(arguments: argparse.Namespace, planned: ProbePlan, out: Path) -> None:
    from bedrock_rft_sim.probe.filtered import check_target
    from bedrock_rft_sim.probe.run import samples_path

    if arguments.filtered is not None:
        others = (out, samples_path(out))
        check_target(arguments.filtered, planned.recipe, others=others, force=arguments.force)
    elif arguments.force:
        raise RecipeError("--force without a file to replace", expected="--filtered FILE.jsonl")


def _endpoint(arguments: argparse.Namespace, planned: ProbePlan) -> Endpoint | None:
    from bedrock_rft_sim.probe.address import check_url
    from bedrock_rft_sim.probe.endpoint import Endpoint

    if arguments.endpoint is None:
        if arguments.endpoint_model or arguments.endpoint_key_env:
            raise RecipeError(
                "an endpoint's model or key without the endpoint", expected="--endpoint URL"
            )
        return None
    check_url(arguments.endpoint)
    if not arguments.endpoint_model:
        raise RecipeError("the endpoint's model is not named", expected="--endpoint-model NAME")
    settings, provenance = planned.recipe.settings, planned.recipe.provenance
    stated = provenance["reasoning_effort"].origin == "stated"
    return Endpoint(
        url=arguments.endpoint,
        model=arguments.endpoint_model,
        key=_key(arguments.endpoint_key_env),
        max_tokens=settings.inference_max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        reasoning_effort=settings.reasoning_effort if stated else None,
        samples=planned.samples,
    )


def _key(variable: str | None) -> str | None:
    from bedrock_rft_sim.probe.address import check_key

    key = os.environ.get(variable or KEY_VARIABLE, "").strip() or None
    if variable is not None and key is None:
        raise RecipeError(
            "the environment variable that should hold the key is not set",
            where="--endpoint-key-env",
            expected=f"a key in {variable}",
            found="nothing",
        )
    if key is not None:
        check_key(key, variable or KEY_VARIABLE)
    return key


def _lines(report: ProbeReport) -> Iterator[str]:
    yield (
        f"probe    {report.model}: {report.prompts_asked} prompts x {report.samples_per_prompt} "
        f"samples, {report.graded} graded; intervals cover 95 %"
    )
    if report.is_local:
        yield (
            "  a local stand-in: the Bedrock model will score differently; use --endpoint to probe "
            "it"
        )
    if report.sampling is not None and report.sampling.engines:
        yield f"  answered by the engine {' and '.join(report.sampling.engines)}"
    for change in report.request_changes:
        default = "; its own default holds" if change.endswith("left out") else ""
        yield f"  refused by the endpoint: {change}{default}"
    if report.missing:
        yield from _faults(report)
    yield from _success(report)
    yield "groups   expected share of mixed groups by trainingSamplePerPrompt"
    for size, share in report.mixed_groups.items():
        known = (
            "unknown: too few samples" if share is None else f"{_percent(share)}  {share.method}"
        )
        yield f"  {size:2}  {known}"
    yield from _lengths(report)
    yield from _first_step(report)


def _filtered_lines(filtered: Filtered | None) -> Iterator[str]:
    from bedrock_rft_sim.contract.limits import RECORDS_MIN

    if filtered is None:
        yield "filtered nothing written: too many samples have no grade; start again"
        return
    yield (
        f"filtered {filtered.kept} of {filtered.records} records of {filtered.source} kept in "
        f"{filtered.path}: {filtered.dropped_always_solved} always solved, "
        f"{filtered.dropped_never_solved} never graded above 0 and {filtered.dropped_alike} always "
        f"graded alike left out, {filtered.kept_without_being_probed} kept unprobed"
    )
    if not filtered.enough:
        yield f"warn     {filtered.kept} records are left, Bedrock asks for {RECORDS_MIN}: add some"


def _faults(report: ProbeReport) -> Iterator[str]:
    from bedrock_rft_sim.probe.report import FAULT_SHARE_MAX

    wanted = report.prompts_asked * report.samples_per_prompt
    compared = "within" if report.ok else "more than"
    yield (
        f"missing  {report.missing} of {wanted} samples have no grade, {compared} the "
        f"{100 * FAULT_SHARE_MAX:g} % allowed; none was invented. Start again to sample them."
    )
    if report.given_up is not None:
        yield f"  {report.given_up}"
    yield from (f"  {count} x {reason}" for reason, count in report.faults.items())
    shown = ", ".join(report.faulted_prompts[:SHOWN_FAULTED])
    more = len(report.faulted_prompts) - SHOWN_FAULTED
    if shown:
        yield f"  prompts: {shown}" + (f" and {more} more" if more > 0 else "")


def _success(report: ProbeReport) -> Iterator[str]:
    success = _percent(report.success)
    yield f"success  {success} of the samples solved (graded {report.solved_at:g} or more)"
    if report.positive != report.success:
        yield f"  {_percent(report.positive)} of the samples graded above 0"
    yield "  pass@k: " + ", ".join(f"{k}: {_percent(at)}" for k, at in report.pass_at_k.items())
    yield "  prompts by share solved"
    yield "    " + "  ".join(report.histogram)
    yield "    " + "  ".join(f"{n:>{len(name)}}" for name, n in report.histogram.items())
    always, never, dead = map(_or_unknown, (report.always, report.never, report.dead))
    yield (
        f"  prompts always solved {always}, never {never}; dead (all samples graded alike) {dead}"
    )
    if report.parse_failures is not None:
        yield f"  no answer found by the reward: {_percent(report.parse_failures)}"


def _lengths(report: ProbeReport) -> Iterator[str]:
    lengths = report.lengths
    if lengths is None:
        yield "lengths  unknown: the endpoint does not count tokens"
        if report.cut is not None:
            yield f"  cut by inferenceMaxTokens {report.max_tokens}: {_percent(report.cut)}"
        return
    yield f"lengths  tokens per answer: mean {_length(lengths.mean, digits=1)}"
    yield "  " + ", ".join(f"p{each} {_length(at)}" for each, at in lengths.percentiles.items())
    yield "  share cut by inferenceMaxTokens:"
    for row in lengths.truncation:
        share = "unknown: answers were cut below it" if row.share is None else _percent(row.share)
        here = "  (this probe's)" if row.max_tokens == lengths.limit else ""
        yield f"  {row.max_tokens:6}  {share}{here}"


def _length(found: Length, *, digits: int = 0) -> str:
    low, high = (
        "unknown" if end is None else f"{end:.{digits}f}" for end in (found.low, found.high)
    )
    at_least = "at least " if found.at_least else ""
    return f"{at_least}{found.value:.{digits}f} ({low} to {high})"


def _first_step(report: ProbeReport) -> Iterator[str]:
    step = report.first_step
    whose = "Bedrock's curve, if this is its model" if report.on_bedrock else "this model's curve"
    if report.is_local:
        whose = "the local run's curve"
    yield f"step 1   first point of {whose}: critic_rewards_mean {step.reward.value:.3f}"
    yield (
        f"  one step of {step.batch_size} x {step.samples_per_prompt} lies within "
        f"{step.reward.low:.3f} to {step.reward.high:.3f} (prediction interval); the mean it "
        f"scatters around within {step.reward_mean.low:.3f} to {step.reward_mean.high:.3f}"
    )
    if step.mixed_share is not None:
        yield f"  mixed groups of that step: {_percent(step.mixed_share)}"
    yield "  if its prompts are like the probed ones; a file sorted by difficulty differs"


def _or_unknown(found: Share | None) -> str:
    return "unknown: every prompt lacks a sample" if found is None else _percent(found)


def _percent(found: Share) -> str:
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"
