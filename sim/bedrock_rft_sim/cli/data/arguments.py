"""Arguments that several sub-verbs of `rft data` share, and how they print what was written."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_flag, print_result

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.output import DataOutput

HELD_OUT = ("validation", "test")
"""Names of parts that are no training files."""


def add_output(
    verb: argparse.ArgumentParser,
    *,
    help: str = "the file to write",  # noqa: A002  argparse's word
    required: bool = True,
) -> None:
    """Add -o and --force: where an operation writes."""
    verb.add_argument("-o", "--out", type=Path, required=required, metavar="PATH", help=help)
    add_flag(verb, "--force", "replace a file that exists")


def add_seed(verb: argparse.ArgumentParser) -> None:
    """Add --seed."""
    verb.add_argument("--seed", type=int, default=42, help="seed of every draw (default 42)")


def add_template(verb: argparse.ArgumentParser, *, default: str, fields: str) -> None:
    """Add --template; `fields` are those that a text may have."""
    words = f"samples, short, boxed, plain, or a text with {fields} (default {default})"
    verb.add_argument("--template", default=default, metavar="NAME|TEXT", help=words)


def values_of(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the named arguments, to pass them on to an operation that calls them the same."""
    return {name: getattr(arguments, name) for name in names}


def print_written(
    arguments: argparse.Namespace,
    outputs: DataOutput | Sequence[DataOutput],
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> None:
    """Print the manifests as JSON, else these lines around what was written and left out.

    The last line is the command that comes next.
    """
    many = outputs if isinstance(outputs, Sequence) else [outputs]
    manifests = [output.manifest() for output in many]
    found = manifests if isinstance(outputs, Sequence) else manifests[0]
    next_lines = to_check([output.path for output in many if output.written])
    print_result(arguments, found, [*before, *map(_summary, many), *after, *next_lines])


def to_check(paths: Sequence[Path]) -> list[str]:
    """Return the command that checks the files, none for no file."""
    held_out = [path for path in paths if path.stem in HELD_OUT]
    training = [path for path in paths if path not in held_out]
    options = [word for path in held_out for word in ("--validation", str(path))]
    return next_command("data", "check", *map(str, training), *options) if training else []


def next_command(*words: str) -> list[str]:
    """Return the lines that name the command that comes next."""
    return ["next, for instance:", f"  {shlex.join(['rft', *words])}"]


def _summary(output: DataOutput) -> str:
    """Return what was written and left out, in a few lines."""
    from bedrock_rft_sim.stats.shares import counted

    written, left_out = counted(output.written, "record"), counted(output.dropped, "row")
    lines = [f"{output.path}  {written}, {left_out} left out"]
    for drops in output.manifest()["drops"]:
        shown = ", ".join(map(str, drops["lines"][:5]))
        more = ", ..." if drops["count"] > 5 else ""  # noqa: PLR2004
        lines.append(f"  {drops['count']:,} x {drops['reason']}: line {shown}{more}")
    if output.unusable.count:
        lines.append(f"  {output.unusable.words}")
    return "\n".join(lines)
