"""`rft compare`: do the curves at home and in the cloud have the same shape?"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    add_flag,
    add_number,
    add_path,
    add_repeatable,
    key_value,
    print_result,
    run_name,
)
from bedrock_rft_sim.cli.terminal import Line, Table
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats.shares import counted

if TYPE_CHECKING:
    from bedrock_rft_sim.compare import Comparison
    from bedrock_rft_sim.compare.needed import Noise
    from bedrock_rft_sim.compare.order import RecipeOrder
    from bedrock_rft_sim.compare.result import MetricComparison
    from bedrock_rft_sim.compare.series import Curves
    from bedrock_rft_sim.report.overlay import Overlay

EXIT_DIFFERENT = 1
DOUBTS = ("different", "cannot tell")
"""Verdicts that outweigh the others, the weightiest first; --strict fails on both."""
EXAMPLES = """
what to give:
  rft compare seed0 seed1 seed2 --bedrock events.json
      the seeds of one recipe against a Bedrock job
  rft compare a0 a1 a2 --with b0 b1 b2
      one recipe against another, each with its seeds
  rft compare a0 a1 --with b0 b1 --bedrock a.json --bedrock b.json
      each recipe against its own job, in this order; and whether the order of the recipes at home
      is their order in the cloud

  rft compare --plan quickstart
      before anything is run: how many seeds and steps it takes to know; a recipe, or runs whose
      noise is taken

RUN and FILE may be a run folder, its name under runs/, latest, the events of a mantle job (JSON or
JSON lines, pages in any order), Nova's step_wise_training_metrics.csv or the output.tar.gz around
it, a verl or HyperPod log, TRL's trainer_state.json, or a CSV exported from TensorBoard or W&B.

exit codes:
  0  same shape; or cannot tell, unless --strict is given
  1  different; with --strict also cannot tell
  2  wrong usage, or a file that can't be read
"""
HELP = "same shape, different or cannot tell: runs against runs or a Bedrock job"
DESCRIPTION = "Compare the shapes of curves, never their heights."


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.epilog, verb.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    seeds = "runs that differ in their seed only"
    verb.add_argument("runs", nargs="+", metavar="RUN", type=run_name, help=seeds)
    others = "runs of another recipe, one --with per recipe"
    add_repeatable(verb, "--with", "RUN", others, nargs="+", dest="others", type=run_name)
    jobs = "a job's metrics; several are further jobs of the one recipe, or one per recipe"
    add_repeatable(verb, "--bedrock", "FILE", jobs, type=run_name)
    axis = "prompts seen or share of the run (default prompts where all sides know them)"
    verb.add_argument("--axis", choices=("prompts", "share"), help=axis)
    add_number(verb, "--batch-size", "prompts per step of every source that does not say it")
    margin = "differences below it are the same (default 0.1)"
    verb.add_argument("--margin", type=_share, metavar="X", help=margin)
    top = "greatest possible reward (default 1; never what was seen)"
    verb.add_argument("--top", type=float, metavar="X", help=top)
    label = "what a side is called; with several pairs A1, B1, A2 and so on"
    add_repeatable(verb, "--label", "A=TEXT", label, type=key_value, dest="labels")
    add_path(verb, "--out", "write the overlay there: page and pictures", metavar="DIR")
    form = "of the pictures in --out (default svg and png)"
    choices = ("pdf", "svg", "png")
    add_repeatable(verb, "--format", "pdf|svg|png", form, dest="forms", choices=choices)
    panel = 'only this graph in the pictures, such as "Training rewards"'
    add_repeatable(verb, "--panel", "TITLE", panel, dest="panels")
    add_flag(verb, "--no-verdict", "leave the verdicts out of the pictures")
    add_path(verb, "--csv", "write every value that is drawn there")
    bands = "in --out, shade between which rewards AWS's own experiments moved (other models)"
    add_flag(verb, "--bands", bands)
    add_flag(verb, "--strict", "exit with 1 on cannot tell, too")
    add_flag(verb, "--plan", "compare nothing; say what it takes to know, for a recipe or for runs")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, found {text}")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Compare and print what was found."""
    from bedrock_rft_sim.compare import order

    if arguments.plan:
        return _plan(arguments)
    if (arguments.forms or arguments.panels or arguments.no_verdict) and not arguments.out:
        arguments.parser.error("--format, --panel and --no-verdict are of pictures: give --out DIR")
    pairs = _labelled([_pair(*sides, arguments) for sides in _sides(arguments)], arguments.labels)
    found = order([pair.a for pair in pairs], [pair.b for pair in pairs]) if pairs[1:] else None
    files = _write(pairs, found, arguments)
    verdicts = [pair.comparison.verdict for pair in pairs] + ([found.verdict] if found else [])
    verdict = next((one for one in DOUBTS if one in verdicts), verdicts[0])
    result = arguments.json and {
        "verdict": verdict,
        "comparisons": [pair.as_json() for pair in pairs],
        "order": found and found.as_json(),
        "files": [str(path) for path in files],
    }
    print_result(arguments, result, _lines(pairs, found, files))
    return EXIT_DIFFERENT if verdict in DOUBTS[: 1 + arguments.strict] else 0


def _labelled(pairs: list[Overlay], labels: Sequence[tuple[str, str]]) -> list[Overlay]:
    for key, text in labels:
        number = key[1:] or "1" * (len(pairs) == 1)
        known = number in map(str, range(1, len(pairs) + 1))
        if key[:1] not in ("A", "B") or not known:
            raise DataError(
                "no side of this name",
                expected="A or B; with several pairs A1, B1, A2 and so on",
                found=f"--label {key}={text}",
            )
        pair = pairs[int(number) - 1]
        labelled = (text, pair.label_b) if key[0] == "A" else (pair.label_a, text)
        pairs[int(number) - 1] = replace(pair, label_a=labelled[0], label_b=labelled[1])
    return pairs


def _write(
    pairs: Sequence[Overlay], order: RecipeOrder | None, arguments: argparse.Namespace
) -> list[Path]:
    from bedrock_rft_sim.report.overlay import STYLE, PictureStyle, write_csv, write_overlay

    files = []
    if arguments.out:
        forms, verdicts = arguments.forms or STYLE.forms, not arguments.no_verdict
        style = PictureStyle(forms, arguments.panels, verdicts)
        files += write_overlay(arguments.out, pairs, order, style=style)
    if arguments.csv:
        write_csv(arguments.csv, pairs)
        files.append(arguments.csv)
    return files


def _plan(arguments: argparse.Namespace) -> int:
    """Print what so many seeds and steps can say, by the noise of runs or the recorded one."""
    from bedrock_rft_sim.compare import needed
    from bedrock_rft_sim.compare.decide import MARGIN

    if arguments.others or arguments.bedrock:
        raise DataError(
            "a plan compares nothing",
            expected="--plan with a recipe or runs of one",
            found="--with or --bedrock",
            hint="leave --plan out to compare",
        )
    noise = _noise(arguments)
    margin = MARGIN if arguments.margin is None else arguments.margin
    one_job, as_many = (needed.table(noise, margin=margin, jobs=jobs) for jobs in (1, None))
    result = {
        "steps": noise.steps,
        "noise_from": noise.source,
        "margin": margin,
        "against_one_job": [asdict(each) for each in one_job],
        "against_as_many": [asdict(each) for each in as_many],
    }
    lines = [
        f"Training rewards, noise from {noise.source}, margin {margin:g}.",
        "same: how often the same shape is seen where nothing differs",
        "gap: the difference in gain that is seen in 80 % of cases",
        "as many: runs at home that see the same prompts in the same order",
        f"{'':>6} {'':>6}  {'against one job':^17}  {'against as many':^17}",
        f"{'steps':>6} {'seeds':>6}  {'same':>8} {'gap':>8}  {'same':>8} {'gap':>8}",
        *(
            f"{job.steps:6} {job.a:6}  {job.same:8.0%} {job.seen:8.2f}  {many.same:8.0%} "
            f"{many.seen:8.2f}"
            for job, many in zip(one_job, as_many, strict=True)
        ),
    ]
    print_result(arguments, result, lines)
    return 0


def _noise(arguments: argparse.Namespace) -> Noise:
    from bedrock_rft_sim.compare import needed, noise_of
    from bedrock_rft_sim.data import plan
    from bedrock_rft_sim.data.tokens import load_tokenizer
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.runs import is_run, or_under_runs

    if any(is_run(or_under_runs(name)) for name in arguments.runs) or len(arguments.runs) > 1:
        return noise_of(_group(arguments.runs, batch_size=None)[1], top=arguments.top)
    recipe = load_recipe(arguments.runs[0])
    settings = recipe.settings
    prompts = len(plan.read_data(recipe, load_tokenizer(recipe.model)).train)
    steps = plan.steps(prompts, settings, validates=False).total
    return needed.recorded(
        steps=steps, prompts=settings.batch_size, rollouts=settings.rollouts_per_step
    )


Group = tuple[str, list["Curves"]]


def _sides(arguments: argparse.Namespace) -> list[tuple[Group, Group]]:
    """Return the groups to compare, in pairs."""
    recipes, jobs = [arguments.runs, *arguments.others], arguments.bedrock
    read = partial(_group, batch_size=arguments.batch_size)
    at_home = [read(paths) for paths in recipes]
    if len(recipes) == 1 and jobs:
        return [(at_home[0], read(jobs, prefix="Bedrock "))]
    if len(recipes) == 2 and not jobs:  # noqa: PLR2004
        return [(at_home[0], at_home[1])]
    if len(recipes) > 1 and len(jobs) == len(recipes):
        away = [read([job], prefix="Bedrock ") for job in jobs]
        return list(zip(at_home, away, strict=True))
    raise DataError(
        "these can't be paired",
        expected="RUN... with --bedrock or with one --with; or as many --bedrock as recipes",
        found=f"{counted(len(recipes), 'group')} of runs, {len(jobs)} --bedrock",
        hint=_pairing(arguments.runs if len(recipes) == 1 else []),
    )


def _pairing(runs: Sequence[str]) -> str:
    """Say how runs that stand in one group are compared with each other."""
    if len(runs) < 2:  # noqa: PLR2004
        return "rft compare --help shows the three ways"
    return (
        f"the first with the rest: rft compare {shlex.quote(runs[0])} --with {shlex.join(runs[1:])}"
    )


def _group(paths: Sequence[str], *, batch_size: int | None, prefix: str = "") -> Group:
    from bedrock_rft_sim.compare.series import read_curves
    from bedrock_rft_sim.runs import or_under_runs

    found = [
        replace(one, prompts_per_step=one.prompts_per_step or batch_size)
        for path in paths
        for one in read_curves(or_under_runs(path))
    ]
    return prefix + ", ".join(one.name for one in found), found


def _pair(a: Group, b: Group, arguments: argparse.Namespace) -> Overlay:
    from bedrock_rft_sim.compare import compare
    from bedrock_rft_sim.report.overlay import Overlay

    margin = {} if arguments.margin is None else {"margin": arguments.margin}
    comparison = compare(a[1], b[1], axis=arguments.axis, top=arguments.top, **margin)
    return Overlay(comparison, a[1], b[1], a[0], b[0], bands=arguments.bands)


def _lines(
    pairs: Sequence[Overlay], order: RecipeOrder | None, files: Sequence[Path]
) -> Iterator[Line]:
    for pair in pairs:
        yield f"A  {pair.label_a}"
        yield f"B  {pair.label_b}"
        yield from _of_pair(pair.comparison)
    if order is not None:
        yield f"order  by {order.by}: {order.words}"
    yield from (f"  {path}" for path in files)


HEADERS = ("", "A", "B", "gain A", "gain B", "B - A", "verdict")


BETWEEN = (
    "B - A: the number that the verdict rests on, with the interval and the confidence it is "
    "judged by"
)


def _of_pair(comparison: Comparison) -> Iterator[Line]:
    from bedrock_rft_sim.compare.words import meanings

    metrics = comparison.known
    yield Table(list(map(_row, metrics)), HEADERS)
    yield from (f"  {one.title}: {one.words}" for one in metrics)
    shown = {"gain", *(one.decisive.measure for one in metrics if one.decisive)}
    for measure, words in meanings(comparison.top_reward).items():
        if measure in shown:
            yield f"  {measure}: {words}"
    if any(one.decisive for one in metrics):
        yield f"  {BETWEEN}"
    yield from (f"  note: {note}" for note in comparison.notes)
    yield comparison.words


def _row(one: MetricComparison) -> tuple[str, ...]:
    sides = (
        "-" if each is None else f"{each.start:.3g} -> {each.end:.3g}" for each in (one.a, one.b)
    )
    gains, apart = ("-", "-"), "-"
    if (found := one.decisive) is not None:
        gains = (f"{one.differences[0].a:+.2f}", f"{one.differences[0].b:+.2f}")
        apart = (
            f"{found.measure} {found.b_minus_a:+.2f} ({found.low:+.2f} to {found.high:+.2f}, "
            f"{100 * found.confidence:.3g} %)"
        )
    return (one.title, *sides, *gains, apart, one.verdict)
