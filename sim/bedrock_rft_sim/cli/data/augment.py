"""`rft data augment`: more rows out of the rows there are, each verified."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bedrock_rft_sim.cli.arguments import add_flag, add_number, print_result
from bedrock_rft_sim.cli.data.arguments import add_output, add_seed, to_check, values_of
from bedrock_rft_sim.stats.shares import percent

KINDS = {
    "renumber": "new numbers, the answer computed again",
    "rename": "other names and things",
    "paraphrase": "another frame",
}
HELP = "make more rows: new numbers with recomputed answers, other names, other frames"
DESCRIPTION = """Every new row carries its parent's id (parent_id), so that it never crosses a
split. New numbers need a solution with calculator marks, along which the answer is computed again;
a row that can't be verified is not written."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("file", type=Path, metavar="FILE")
    for kind, does in KINDS.items():
        add_flag(verb, f"--{kind}", does)
    copies = "new rows of each kind to make of a row, at most (default 1)"
    add_number(verb, "--copies", copies, default=1)
    add_output(verb)
    add_seed(verb)


def run(arguments: argparse.Namespace) -> int:
    """Augment and print what came of it."""
    from bedrock_rft_sim.data.prepare.augment import augment_file

    kinds: list[Any] = [kind for kind in KINDS if getattr(arguments, kind)]
    if not kinds:
        arguments.parser.error("say how: --renumber, --rename, --paraphrase, or several of them")
    output = augment_file(
        arguments.file,
        arguments.out,
        kinds=kinds,
        **values_of(arguments, "copies", "seed", "force"),
    )
    manifest = output.manifest()
    lines = [*_lines(manifest, output.path), *to_check([output.path])]
    print_result(arguments, manifest, lines)
    return 0


def _lines(manifest: dict[str, Any], path: Path) -> list[str]:
    rows = manifest["rows"]
    made = rows["out"] - rows["in"]
    lines = [f"{path}  {rows['out']:,} records: {rows['in']:,} given, {made:,} new"]
    for kind, tally in manifest["notes"]["augmented"].items():
        count = max(tally["rows"], 1)
        lines.append(
            f"  {kind}: {tally['made']:,} new rows, all verified, from {tally['parents']:,} "
            f"of {tally['rows']:,} rows ({percent(tally['parents'] / count)})"
        )
        for reason, times in tally["reasons"].items():
            lines.append(f"    {times:6,} ({percent(times / count)})  {reason}")
    return lines
