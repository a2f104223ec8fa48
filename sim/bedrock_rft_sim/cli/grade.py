"""`rft grade`: any rewards over any saved answers, and what a run would have learned from them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_reporting
from bedrock_rft_sim.contract.payload_profiles import PROFILES

if TYPE_CHECKING:
    from rich.console import Console

    from bedrock_rft_sim.grader.grade.regrade import Regraded

EXIT_FAILED = 1
SHOWN_CHARS = 200
BAR_CHARS = 30
SHOWN_STEPS = 20


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "grade",
        help="grade saved answers or a run's rollouts again, and compare rewards",
        description="Exit code 1: a reward failed on an answer, which then has no score.",
    )
    verb.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="a run folder, or a JSONL or CSV of id, prompt or messages, answer, reference_answer",
    )
    verb.add_argument(
        "--reward",
        action="append",
        required=True,
        dest="rewards",
        metavar="R",
        help="a shipped name, a .py file, folder or .zip (repeatable: rewards are compared)",
    )
    verb.add_argument("--data", type=Path, metavar="FILE", help="the rows that ids refer to")
    verb.add_argument("--profile", choices=PROFILES, help="where the event holds the reference")
    verb.add_argument("--recipe", help="take data and the Lambda's settings from this recipe")
    verb.add_argument(
        "--validation", action="store_true", help="of a run, grade the validation answers too"
    )
    verb.add_argument("--out", type=Path, metavar="FILE", help="write every score to this JSONL")
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Grade the answers and print what came out."""
    from bedrock_rft_sim.grader.grade.regrade import open_source, regrade
    from bedrock_rft_sim.runs import or_under_runs

    _refuse_to_write_over(arguments.source, arguments.out)
    source = open_source(
        or_under_runs(arguments.source),
        data=arguments.data,
        recipe=arguments.recipe,
        validation=arguments.validation,
    )
    started = time.monotonic()
    found = regrade(
        source,
        arguments.rewards,
        profile=arguments.profile,
        out=arguments.out,
        on_batch=_progress(sys.stderr.isatty()),
    )
    _say_done(found, seconds=time.monotonic() - started)
    if arguments.json:
        print(json.dumps(found.as_json()))
    else:
        _print(found)
    return 0 if found.ok else EXIT_FAILED


def _refuse_to_write_over(source: Path, out: Path | None) -> None:
    from bedrock_rft_sim.errors import DataError

    if out is not None and out.resolve() == source.resolve():
        raise DataError("--out is the source itself", where=str(out), hint="choose another file")


def _progress(on_terminal: bool) -> Callable[[int], None]:
    """Return what shows the count; a file or a pipe gets the last line only."""

    def show(answers: int) -> None:
        if on_terminal:
            print(f"\rgraded {answers:,} answers", end="", file=sys.stderr, flush=True)

    return show


def _say_done(found: Regraded, *, seconds: float) -> None:
    start = "\r" if sys.stderr.isatty() else ""
    answers = len(found.scores[0].values)
    print(f"{start}graded {answers:,} answers in {seconds:.1f} s", file=sys.stderr)


def _print(found: Regraded) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    values = found.as_json()
    console.print(f"source   {values['source']}, payload profile {values['profile']}")
    for warning in values["warnings"]:
        console.print(f"  warning: {warning}")
    for reward in values["rewards"]:
        _print_reward(console, reward)
    if values["agreement"]:
        _print_matrix(console, values["agreement"])
    for pair in values["agreement"]:
        _print_pair(console, pair)
    for replay in values["replay"]:
        _print_replay(console, replay)


def _print_reward(console: Console, reward: dict[str, Any]) -> None:
    console.print(f"reward   {reward['reward']}")
    console.print(
        f"  {reward['scored']:,} of {reward['answers']:,} answers scored: "
        f"mean {_number(reward['mean'])}, sd {_number(reward['sd'])}, "
        f"min {_number(reward['min'])}, max {_number(reward['max'])}"
    )
    largest = max((entry["count"] for entry in reward["histogram"]), default=0)
    for entry in reward["histogram"]:
        bar = "█" * round(entry["count"] / largest * BAR_CHARS)
        console.print(f"  {_bin(entry):>23}  {entry['count']:>8,}  {bar}")
    for name, component in reward["components"].items():
        console.print(f"  component {_plain(name)}: mean {_number(component['mean'])}")
    for error in reward["errors"]:
        first = ", ".join(map(_plain, error["first_ids"]))
        console.print(f"  NO SCORE: {error['count']:,} x {error['kind']}, first {first}")
        console.print(f"    {error['message'].splitlines()[0]}")
    if not reward["exact"]:
        console.print("  too many failures to ask each answer alone: whole events are counted")


def _bin(entry: dict[str, float]) -> str:
    if "value" in entry:
        return _number(entry["value"])
    return f"{_number(entry['from'])} to {_number(entry['to'])}"


def _print_matrix(console: Console, pairs: list[dict[str, Any]]) -> None:
    """Show the share of answers with equal scores, each reward against each."""
    names = list(dict.fromkeys(name for pair in pairs for name in (pair["first"], pair["second"])))
    shares = {(pair["first"], pair["second"]): pair["equal_share"] for pair in pairs}
    width = max(len(name) for name in names)
    console.print("equal scores, share of the answers that both could score")
    console.print("  " + " " * width + "".join(f"  {name:>9}" for name in names))
    for row in names:
        cells = (
            "1" if row == column else _number(shares.get((row, column), shares.get((column, row))))
            for column in names
        )
        padded = (f"  {cell:>{max(9, len(name))}}" for cell, name in zip(cells, names, strict=True))
        console.print(f"  {row:<{width}}" + "".join(padded))


def _print_pair(console: Console, pair: dict[str, Any]) -> None:
    positive = pair["positive"]
    console.print(f"{pair['first']} against {pair['second']}")
    console.print(
        f"  above 0: both {positive['both']:,}, only the first {positive['only_first']:,}, "
        f"only the second {positive['only_second']:,}, neither {positive['neither']:,} "
        f"(alike {_number(positive['alike_share'])}); "
        f"Spearman's rank correlation {_number(pair['spearman'])}"
    )
    for each in pair["differences"]:
        step = "" if each["step"] is None else f", step {each['step']}"
        scores = f"{_number(each['first'])} against {_number(each['second'])}"
        console.print(f"  {_plain(each['id'])}{step}: {scores}: {_shown(each['text'])}")


def _print_replay(console: Console, replay: dict[str, Any]) -> None:
    overall = replay["overall"]
    console.print(f"the run under {replay['reward']}, on record -> graded again")
    for title, key in (
        ("mean reward", "reward_mean"),
        ("mixed groups", "mixed"),
        ("all-right groups", "all_right"),
        ("all-wrong groups", "all_wrong"),
        ("zero-variance groups", "zero_variance"),
    ):
        before, after = overall["recorded"][key], overall["new"][key]
        console.print(f"  {title:21} {_number(before)} -> {_number(after)}")
    console.print(
        f"  advantages            mean absolute change {_number(overall['advantage_change'])}, "
        f"sign flipped for {_number(overall['flipped_share'])} of the rollouts"
    )
    if overall["groups_left_out"]:
        console.print(f"  {overall['groups_left_out']} groups left out: an answer has no score")
    _print_steps(console, replay)


def _print_steps(console: Console, replay: dict[str, Any]) -> None:
    steps = [step for step in replay["steps"] if step["recorded"] is not None]
    apart = -(-len(steps) // SHOWN_STEPS)
    if apart > 1:
        console.print(f"  of {len(steps)} steps some are shown; --json has all")
    for number, step in enumerate(steps):
        if number % max(apart, 1) == 0 or number == len(steps) - 1:
            before, after = step["recorded"], step["new"]
            console.print(
                f"  step {step['step']:>4}  "
                f"reward {_number(before['reward_mean'])} -> {_number(after['reward_mean'])}  "
                f"mixed {_number(before['mixed'])} -> {_number(after['mixed'])}"
            )
    for each in replay["validations"]:
        before, after = _number(each["recorded_mean"]), _number(each["new_mean"])
        console.print(f"  validation after step {each['step']}  reward {before} -> {after}")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _plain(text: str) -> str:
    """Return the text without what a terminal would act upon."""
    return text if text.isprintable() else repr(text)


def _shown(text: str) -> str:
    short = text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}"
    return repr(short)
