"""`rft data augment`: more rows out of the rows there are, each verified."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bedrock_rft_sim.cli.data.arguments import add_output, add_reporting, add_seed, positive

KINDS = ("renumber", "rename", "paraphrase")


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "augment",
        help="make more rows: new numbers with recomputed answers, other names, other frames",
        description="Every new row carries its parent's id (parent_id), so that it never crosses a "
        "split. New numbers need a solution with calculator marks, along which the answer is "
        "computed again; a row that can't be verified is not written.",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    for kind, does in zip(
        KINDS,
        ("new numbers, the answer computed again", "other names and things", "another frame"),
        strict=True,
    ):
        verb.add_argument(f"--{kind}", action="store_true", help=does)
    verb.add_argument(
        "--copies",
        type=positive,
        default=1,
        metavar="N",
        help="new rows of each kind to make of a row, at most (default 1)",
    )
    add_output(verb)
    add_seed(verb)
    add_reporting(verb)
    verb.set_defaults(command=run, parser=verb)


def run(arguments: argparse.Namespace) -> int:
    """Augment and print what came of it."""
    from bedrock_rft_sim.data.prepare.augment import augment_file

    kinds = [kind for kind in KINDS if getattr(arguments, kind)]
    if not kinds:
        arguments.parser.error("say how: --renumber, --rename, --paraphrase, or several of them")
    output = augment_file(
        arguments.file,
        arguments.out,
        kinds=kinds,  # type: ignore[arg-type]
        copies=arguments.copies,
        seed=arguments.seed,
        force=arguments.force,
    )
    manifest = output.manifest()
    if arguments.json:
        print(json.dumps(manifest))
    else:
        _print(manifest, output.path)
    return 0


def _print(manifest: dict[str, Any], path: Path) -> None:
    rows = manifest["rows"]
    print(
        f"{path}  {rows['out']:,} records: {rows['in']:,} given, {rows['out'] - rows['in']:,} new"
    )
    for kind, tally in manifest["notes"]["augmented"].items():
        share = tally["parents"] / max(tally["rows"], 1)
        print(
            f"  {kind}: {tally['made']:,} new rows, all verified, "
            f"from {tally['parents']:,} of {tally['rows']:,} rows ({share:.1%})"
        )
        for reason, count in tally["reasons"].items():
            print(f"    {count:6,} ({count / max(tally['rows'], 1):5.1%})  {reason}")
