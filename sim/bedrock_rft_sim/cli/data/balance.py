"""`rft data balance`: what the rows are like, and fewer of what there is too much of."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import add_path, add_repeatable, print_result, whole_number
from bedrock_rft_sim.cli.data.arguments import (
    add_output,
    add_seed,
    next_command,
    print_written,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_rft_sim.data.prepare.balance import Balance, Counts
    from bedrock_rft_sim.data.prepare.features import Label

SHOWN = 40
HELP = "profile the rows by a key or feature; down-sample, cap or weight the classes"
DESCRIPTION = """KEY is a dotted path in the record (metadata.domain), or a derived feature:
operations, steps, answer_size, prompt_length. Without one of --cap, --down-sample and --target the
profile is only shown."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("file", type=Path, metavar="FILE")
    classes = "what makes the classes; of several, every combination is one"
    add_repeatable(verb, "--by", "KEY", classes, required=True, default=None)
    ways = verb.add_mutually_exclusive_group()
    ways.add_argument("--cap", type=whole_number(1), metavar="N", help="at most N rows of a class")
    ways.add_argument("--down-sample", action="store_true", help="all as small as the smallest")
    target = "the largest file with these shares; classes that are not named are left out"
    ways.add_argument("--target", metavar="CLASS=SHARE,...", help=target)
    add_path(verb, "--plot", "draw the profile into this file", metavar="SVG")
    add_output(verb, required=False)
    add_seed(verb)


def run(arguments: argparse.Namespace) -> int:
    """Profile, perhaps balance, and print what was lost."""
    from bedrock_rft_sim.data.prepare.balance import Balance, balance_file
    from bedrock_rft_sim.data.prepare.balance_plot import draw_balance
    from bedrock_rft_sim.data.prepare.features import profile
    from bedrock_rft_sim.data.prepare.rows import read

    quota_of = _way(arguments)
    if (quota_of is None) != (arguments.out is None):
        arguments.parser.error("-o goes with one of --cap, --down-sample and --target")
    if quota_of is None:
        counts = profile(read(arguments.file), arguments.by)
        output, balance = None, Balance(counts, counts)
    else:
        output, balance = balance_file(
            arguments.file,
            arguments.out,
            quota_of=quota_of,
            parameters=values_of(arguments, "cap", "down_sample", "target"),
            **values_of(arguments, "by", "seed", "force"),
        )
    if arguments.plot:
        draw_balance(balance, arguments.plot, title=f"rows by {' and '.join(arguments.by)}")
    if output is not None:
        print_written(arguments, output, before=_lines(balance))
    else:
        keys = [word for key in arguments.by for word in ("--by", key)]
        out = str(arguments.file.with_stem(f"{arguments.file.stem}-balanced"))
        again = ["data", "balance", str(arguments.file), *keys, "--down-sample", "-o", out]
        lines = [*_lines(balance), *next_command(*again)]
        print_result(arguments, {"classes": balance.as_json()}, lines)
    return 0


def _way(arguments: argparse.Namespace) -> Callable[[Counts], dict[Label, int]] | None:
    from bedrock_rft_sim.data.prepare.balance import capped, down_sampled, weighted

    if arguments.cap:
        return partial(capped, limit=arguments.cap)
    if arguments.down_sample:
        return down_sampled
    if arguments.target:
        try:
            return partial(weighted, target=_target(arguments.target))
        except ValueError:
            arguments.parser.error(f"--target {arguments.target}: expected CLASS=SHARE,CLASS=SHARE")
    return None


def _target(text: str) -> dict[Label, float]:
    """Return the shares; the words of a class of several keys are separated by ` / `."""
    pairs = [part.rpartition("=") for part in text.split(",")]
    return {tuple(name.strip().split(" / ")): float(share) for name, _, share in pairs}


def _lines(balance: Balance) -> list[str]:
    from bedrock_rft_sim.data.prepare.features import label_text

    total, left = sum(balance.before.values()), sum(balance.after.values())
    is_changed = balance.after != balance.before
    lines = [f"{'rows':>9} {'share':>6}" + (f" {'left':>9} {'share':>6}" if is_changed else "")]
    for label, count in list(balance.before.items())[:SHOWN]:
        kept = balance.after.get(label, 0)
        after = f" {kept:9,} {kept / max(left, 1):6.1%}" if is_changed else ""
        lines.append(f"{count:9,} {count / total:6.1%}{after}  {label_text(label)}")
    if len(balance.before) > SHOWN:
        lines.append(f"and {len(balance.before) - SHOWN:,} smaller classes; --json lists them all")
    return lines
