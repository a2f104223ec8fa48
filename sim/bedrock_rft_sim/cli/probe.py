"""`rft probe`: is the task learnable by this model, before a step is trained?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_common

if TYPE_CHECKING:
    from rich.console import Console

    from bedrock_rft_sim.probe import Endpoint, Filtered, ProbePlan, ProbeReport, Share
    from bedrock_rft_sim.probe.lengths import Length

EXIT_FAILED = 1
KEY_VARIABLE = "OPENAI_API_KEY"
FOLDER = Path("probes")
SHOWN_FAULTED = 5


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "probe",
        help="sample a model a few times per prompt and say whether it can learn the task",
        description="Grade sampled answers with the recipe's reward: success rate, dead prompts, "
        "mixed groups, lengths, and the first point of the reward curve, with 95 % intervals. "
        "A killed probe goes on where it was. Exit code 1: more than 5 % of the samples failed.",
    )
    add_common(verb)
    verb.add_argument("--prompts", type=int, metavar="N", help="prompts to draw (default 64)")
    verb.add_argument("--samples", type=int, metavar="K", help="samples of each (default 8)")
    verb.add_argument(
        "--endpoint", metavar="URL", help="an OpenAI-compatible endpoint, instead of local.model"
    )
    verb.add_argument("--endpoint-model", metavar="NAME", help="the model's name there")
    verb.add_argument(
        "--endpoint-key-env",
        metavar="NAME",
        help=f"the environment variable that holds its key (default {KEY_VARIABLE}, if set)",
    )
    verb.add_argument(
        "--out",
        type=Path,
        metavar="FILE.json",
        help="the result (default probes/RECIPE-ID.json; ID tells models, prompts and limits "
        "apart)",
    )
    verb.add_argument(
        "--filtered",
        type=Path,
        metavar="FILE.jsonl",
        help="write the training data without the prompts whose samples were all graded alike",
    )
    verb.add_argument(
        "--force", action="store_true", help="let --filtered replace a file of that name"
    )
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Probe, print what was found, and write the filtered data if asked to."""
    from bedrock_rft_sim.diagnosis.probe import advice_as_json, diagnose_probe
    from bedrock_rft_sim.probe import PROMPTS, SAMPLES, default_name, plan_probe, probe, save_record
    from bedrock_rft_sim.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    planned = plan_probe(
        recipe,
        prompts=PROMPTS if arguments.prompts is None else arguments.prompts,
        samples=SAMPLES if arguments.samples is None else arguments.samples,
        elsewhere=arguments.endpoint is not None,
    )
    endpoint = _endpoint(arguments, planned)
    out = arguments.out or FOLDER / default_name(planned, endpoint)
    _check_target(arguments, planned, out)
    report = probe(planned, out=out, endpoint=endpoint, say=_say)
    advice = [advice_as_json(each) for each in diagnose_probe(report, planned.recipe.settings)]
    record = {**report.as_json(), "advice": advice}
    save_record(out, record)
    filtered = _filtered(arguments, planned, report)
    if arguments.json:
        kept = {} if arguments.filtered is None else {"filtered": _as_json(filtered)}
        print(json.dumps({**record, **kept}))
    else:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True, markup=False)
        _print(report, advice, console)
        if filtered is not None:
            _print_filtered(console, filtered)
        elif arguments.filtered is not None:
            console.print("filtered nothing written: too many samples have no grade; start again")
        console.print(f"written  {out}")
    return 0 if report.ok else EXIT_FAILED


def _check_target(arguments: argparse.Namespace, planned: ProbePlan, out: Path) -> None:
    from bedrock_rft_sim.errors import RecipeError
    from bedrock_rft_sim.probe import check_target, samples_path

    if arguments.filtered is not None:
        others = (out, samples_path(out))
        check_target(arguments.filtered, planned.recipe, others=others, force=arguments.force)
    elif arguments.force:
        raise RecipeError("--force without a file to replace", expected="--filtered FILE.jsonl")


def _filtered(
    arguments: argparse.Namespace, planned: ProbePlan, report: ProbeReport
) -> Filtered | None:
    """Write the filtered data, unless too many samples failed to know which prompts are dead."""
    from bedrock_rft_sim.probe import write_filtered

    if arguments.filtered is None or not report.ok:
        return None
    return write_filtered(arguments.filtered, planned.recipe, report.prompts, force=arguments.force)


def _as_json(filtered: Filtered | None) -> dict[str, Any] | None:
    return None if filtered is None else dataclasses.asdict(filtered)


def _say(words: str) -> None:
    print(words, file=sys.stderr)


def _endpoint(arguments: argparse.Namespace, planned: ProbePlan) -> Endpoint | None:
    from bedrock_rft_sim.errors import RecipeError
    from bedrock_rft_sim.probe import Endpoint, check_url

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
    from bedrock_rft_sim.errors import RecipeError

    key = os.environ.get(variable or KEY_VARIABLE, "").strip() or None
    if variable is not None and key is None:
        raise RecipeError(
            "the environment variable that should hold the key is not set",
            where="--endpoint-key-env",
            expected=f"a key in {variable}",
            found="nothing",
        )
    return key


def _print(report: ProbeReport, advice: Sequence[Mapping[str, str]], console: Console) -> None:
    console.print(
        f"probe    {report.model}: {report.prompts_asked} prompts x {report.samples_per_prompt} "
        f"samples, {report.graded} graded; intervals cover 95 %"
    )
    if report.is_local:
        console.print(
            "  a local stand-in: the Bedrock model will score differently; "
            "use --endpoint to probe it"
        )
    _print_faults(console, report)
    _print_success(console, report)
    _print_groups(console, report)
    _print_lengths(console, report)
    _print_first_step(console, report)
    for each in advice:
        console.print(f"{each['level']:8} {each['words']} ({each['source']})")


def _print_filtered(console: Console, filtered: Filtered) -> None:
    from bedrock_rft_sim.contract.limits import RECORDS_MIN

    console.print(
        f"filtered {filtered.kept} of {filtered.records} records of {filtered.source} kept in "
        f"{filtered.path}: {filtered.dropped_always_solved} always solved, "
        f"{filtered.dropped_never_solved} never graded above 0 and {filtered.dropped_alike} always "
        f"graded alike left out, {filtered.kept_without_being_probed} kept unprobed"
    )
    if not filtered.enough:
        console.print(
            f"warn     {filtered.kept} records are left, Bedrock asks for {RECORDS_MIN}: add some"
        )


def _print_faults(console: Console, report: ProbeReport) -> None:
    from bedrock_rft_sim.probe import FAULT_SHARE_MAX

    if not report.missing:
        return
    asked = report.prompts_asked * report.samples_per_prompt
    verdict = "within" if report.ok else "more than"
    console.print(
        f"missing  {report.missing} of {asked} samples have no grade, {verdict} the "
        f"{100 * FAULT_SHARE_MAX:g} % allowed; none was invented. Start again to ask for them."
    )
    if report.given_up is not None:
        console.print(f"  {report.given_up}")
    for reason, count in report.faults.items():
        console.print(f"  {count} x {reason}")
    shown = ", ".join(report.faulted_prompts[:SHOWN_FAULTED])
    more = len(report.faulted_prompts) - SHOWN_FAULTED
    if shown:
        console.print(f"  prompts: {shown}" + (f" and {more} more" if more > 0 else ""))


def _print_success(console: Console, report: ProbeReport) -> None:
    console.print(
        f"success  {_percent(report.success)} of the samples solved "
        f"(graded {report.solved_at:g} or more)"
    )
    if report.positive != report.success:
        console.print(f"  {_percent(report.positive)} of the samples graded above 0")
    console.print(
        "  pass@k: " + ", ".join(f"{k}: {_percent(found)}" for k, found in report.pass_at_k.items())
    )
    console.print(
        "  prompts by share solved: "
        + ", ".join(f"{name} {count}" for name, count in report.histogram.items())
    )
    console.print(
        f"  prompts always solved {_or_unknown(report.always)}, never "
        f"{_or_unknown(report.never)}; dead (all samples graded alike) {_or_unknown(report.dead)}"
    )
    if report.parse_failures is not None:
        console.print(f"  no answer found by the reward: {_percent(report.parse_failures)}")


def _print_groups(console: Console, report: ProbeReport) -> None:
    console.print("groups   expected share of mixed groups by trainingSamplePerPrompt")
    for size, share in report.mixed_groups.items():
        told = "unknown: too few samples" if share is None else _percent(share)
        how = "" if share is None else f"  {share.method.split(',')[0]}"
        console.print(f"  {size:2}  {told}{how}")


def _print_lengths(console: Console, report: ProbeReport) -> None:
    if report.lengths is None:
        console.print("lengths  unknown: the endpoint does not count tokens")
        if report.cut is not None:
            console.print(
                f"  cut by inferenceMaxTokens {report.max_tokens}: {_percent(report.cut)}"
            )
        return
    lengths = report.lengths
    console.print(f"lengths  tokens per answer: mean {_length(lengths.mean, digits=1)}")
    percentiles = (f"p{each} {_length(found)}" for each, found in lengths.percentiles.items())
    console.print("  " + ", ".join(percentiles))
    console.print("  share cut by inferenceMaxTokens:")
    for row in lengths.truncation:
        told = "unknown: answers were cut below it" if row.share is None else _percent(row.share)
        here = "  (this probe's)" if row.max_tokens == lengths.limit else ""
        console.print(f"  {row.max_tokens:6}  {told}{here}")


def _length(found: Length, *, digits: int = 0) -> str:
    low, high = (
        "unknown" if end is None else f"{end:.{digits}f}" for end in (found.low, found.high)
    )
    at_least = "at least " if found.at_least else ""
    return f"{at_least}{found.value:.{digits}f} ({low} to {high})"


def _print_first_step(console: Console, report: ProbeReport) -> None:
    step = report.first_step
    whose = _whose(report)
    console.print(f"step 1   first point of {whose}: critic_rewards_mean {step.reward.value:.3f}")
    console.print(
        f"  one step of {step.batch_size} x {step.samples_per_prompt} lies within "
        f"{step.reward.low:.3f} to {step.reward.high:.3f} (prediction interval); the mean it "
        f"scatters around within {step.reward_mean.low:.3f} to {step.reward_mean.high:.3f}"
    )
    if step.mixed_share is not None:
        console.print(f"  mixed groups of that step: {_percent(step.mixed_share)}")
    console.print("  if its prompts are like the probed ones; a file sorted by difficulty differs")


def _whose(report: ProbeReport) -> str:
    if report.is_local:
        return "the local run's curve"
    return "Bedrock's curve, if this is its model" if report.on_bedrock else "this model's curve"


def _or_unknown(found: Share | None) -> str:
    return "unknown: every prompt lacks a sample" if found is None else _percent(found)


def _percent(found: Share) -> str:
    return f"{_figure(found.value)} % ({_figure(found.low)} to {_figure(found.high)})"


def _figure(share: float) -> str:
    return f"{100 * share:.1f}"
