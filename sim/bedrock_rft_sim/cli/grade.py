"""`rft grade`: any rewards over any saved answers, and what a run would have learned from them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import (
    EXIT_FAILED,
    add_flag,
    add_path,
    add_profile,
    add_repeatable,
    add_source,
    print_result,
)
from bedrock_rft_sim.cli.audit_text import plain
from bedrock_rft_sim.cli.terminal import Line, Table, say

if TYPE_CHECKING:
    from bedrock_rft_sim.grader.grade.run import GradedAgain

SHOWN_CHARS = 200
BAR_CHARS = 30
SHOWN_STEPS = 20
TITLES = {
    "mean reward": "reward_mean",
    "mixed groups": "mixed",
    "all-right groups": "all_right",
    "all-wrong groups": "all_wrong",
    "zero-variance groups": "zero_variance",
}
HELP = "grade saved answers or a run's rollouts again, and compare rewards"
DESCRIPTION = "Exit code 1: a reward failed on an answer, which then has no score."


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    source = "a run, latest, or a JSONL or CSV of id, prompt or messages, answer, reference_answer"
    add_source(verb, "source", "SOURCE", source)
    reward = "a shipped name, a .py file, folder or .zip; several are compared"
    add_repeatable(verb, "--reward", "R", reward, required=True, default=None, dest="rewards")
    add_path(verb, "--data", "the rows that ids refer to")
    add_profile(verb)
    verb.add_argument("--recipe", help="take data and the Lambda's settings from this recipe")
    add_flag(verb, "--validation", "of a run, grade the validation answers too")
    add_path(verb, "--out", "write every score to this JSONL")


def run(arguments: argparse.Namespace) -> int:
    """Grade the answers and print what came out."""
    from bedrock_rft_sim.grader.grade.run import grade_again, open_source
    from bedrock_rft_sim.runs.observer import Stage

    _refuse_to_write_over(arguments.source, arguments.out)
    source = open_source(
        arguments.source,
        data=arguments.data,
        recipe=arguments.recipe,
        validation=arguments.validation,
    )
    started = time.monotonic()
    found = grade_again(
        source,
        arguments.rewards,
        profile=arguments.profile,
        out=arguments.out,
        on_batch=lambda answers: arguments.progress.doing(Stage("grading", answers)),
    )
    _say_done(found, seconds=time.monotonic() - started)
    print_result(arguments, found.as_json(), _lines(found))
    return 0 if found.ok else EXIT_FAILED


def _refuse_to_write_over(source: Path, out: Path | None) -> None:
    from bedrock_rft_sim.errors import DataError
    from bedrock_rft_sim.files import real

    if out is not None and real(out) == real(source):
        raise DataError("--out is the source itself", where=str(out), hint="choose another file")


def _say_done(found: GradedAgain, *, seconds: float) -> None:
    answers = len(found.scores[0].values)
    say(f"graded {answers:,} answers in {seconds:.1f} s")


def _lines(found: GradedAgain) -> Iterator[Line]:
    values = found.as_json()
    yield plain(f"source   {values['source']}, payload profile {values['profile']}")
    yield from (plain(f"  warning: {warning}") for warning in values["warnings"])
    for reward in values["rewards"]:
        yield from _reward_lines(reward)
    if values["agreement"]:
        yield "equal scores, share of the answers that both could score"
        yield _matrix(values["agreement"])
    for pair in values["agreement"]:
        yield from map(plain, _pair_lines(pair))
    for replay in values["replay"]:
        yield from map(plain, _replay_lines(replay))


def _reward_lines(reward: dict[str, Any]) -> Iterator[Line]:
    yield plain(f"reward   {reward['reward']}")
    yield (
        f"  {reward['scored']:,} of {reward['answers']:,} answers scored: "
        f"mean {_number(reward['mean'])}, sd {_number(reward['sd'])}, "
        f"min {_number(reward['min'])}, max {_number(reward['max'])}"
    )
    largest = max((entry["count"] for entry in reward["histogram"]), default=0)
    bars = ("█" * round(each["count"] / largest * BAR_CHARS) for each in reward["histogram"])
    yield Table(
        [
            (f"  {_bin(each):>23}", f"{each['count']:>8,}", bar)
            for each, bar in zip(reward["histogram"], bars, strict=True)
        ]
    )
    for name, component in reward["components"].items():
        yield plain(f"  component {name}: mean {_number(component['mean'])}")
    for error in reward["errors"]:
        first = ", ".join(error["first_ids"])
        yield plain(f"  NO SCORE: {error['count']:,} x {error['kind']}, first {first}")
        yield plain(f"    {error['message'].splitlines()[0]}")
    if not reward["exact"]:
        yield "  too many failures to grade each answer alone: whole events are counted"


def _bin(entry: dict[str, float]) -> str:
    if "value" in entry:
        return _number(entry["value"])
    return f"{_number(entry['from'])} to {_number(entry['to'])}"


def _matrix(pairs: list[dict[str, Any]]) -> Table:
    """Return the share of answers with equal scores, each reward against each."""
    names = list(dict.fromkeys(name for pair in pairs for name in (pair["first"], pair["second"])))
    shares = {(pair["first"], pair["second"]): pair["equal_share"] for pair in pairs}
    rows = [
        (
            f"  {row}",
            *(
                "1"
                if row == column
                else _number(shares.get((row, column), shares.get((column, row))))
                for column in names
            ),
        )
        for row in names
    ]
    return Table([tuple(map(plain, row)) for row in rows], ["", *map(plain, names)])


def _pair_lines(pair: dict[str, Any]) -> Iterator[str]:
    positive = pair["positive"]
    yield f"{pair['first']} against {pair['second']}"
    yield (
        f"  above 0: both {positive['both']:,}, only the first {positive['only_first']:,}, "
        f"only the second {positive['only_second']:,}, neither {positive['neither']:,} "
        f"(alike {_number(positive['alike_share'])}); "
        f"Spearman's rank correlation {_number(pair['spearman'])}"
    )
    for each in pair["differences"]:
        step = "" if each["step"] is None else f", step {each['step']}"
        scores = f"{_number(each['first'])} against {_number(each['second'])}"
        yield f"  {each['id']}{step}: {scores}: {_shown(each['text'])}"


def _replay_lines(replay: dict[str, Any]) -> Iterator[str]:
    overall = replay["overall"]
    yield f"the run under {replay['reward']}, on record -> graded again"
    for title, key in TITLES.items():
        before, after = overall["recorded"][key], overall["new"][key]
        yield f"  {title:21} {_number(before)} -> {_number(after)}"
    yield (
        f"  advantages            mean absolute change {_number(overall['advantage_change'])}, "
        f"sign flipped for {_number(overall['flipped_share'])} of the rollouts"
    )
    if overall["groups_left_out"]:
        yield f"  {overall['groups_left_out']} groups left out: an answer has no score"
    steps = [step for step in replay["steps"] if step["recorded"] is not None]
    apart = -(-len(steps) // SHOWN_STEPS)
    if apart > 1:
        yield f"  of {len(steps)} steps some are shown; --json has all"
    for number, step in enumerate(steps):
        if number % apart == 0 or number == len(steps) - 1:
            before, after = step["recorded"], step["new"]
            yield (
                f"  step {step['step']:>4}  "
                f"reward {_number(before['reward_mean'])} -> {_number(after['reward_mean'])}  "
                f"mixed {_number(before['mixed'])} -> {_number(after['mixed'])}"
            )
    for each in replay["validations"]:
        before, after = _number(each["recorded_mean"]), _number(each["new_mean"])
        yield f"  validation after step {each['step']}  reward {before} -> {after}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}")
