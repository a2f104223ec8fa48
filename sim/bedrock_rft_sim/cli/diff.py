"""`rft diff`: what two runs were given differently."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import add_run, print_result

if TYPE_CHECKING:
    from bedrock_rft_sim.runs.listing import RunDifference

VALUE_CHARS = 60
HELP = "what two runs were given differently: recipe, data, reward, versions"
DESCRIPTION = """Say where two runs differ in what they were given. What came of it is compared by
`rft compare`. Exit code 0 whether or not they differ."""
RESULT = "the differences"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    for name in ("a", "b"):
        add_run(verb, name)


def run(arguments: argparse.Namespace) -> int:
    """Compare what the two runs were given."""
    from bedrock_rft_sim.runs import Run, find_run
    from bedrock_rft_sim.runs.listing import differing

    a, b = (Run.read(find_run(name)) for name in (arguments.a, arguments.b))
    found = differing(a, b)
    lines = list(_lines(found)) or ["nothing differs in recipe, data, reward and versions"]
    names = [f"A  {a.folder.path}", f"B  {b.folder.path}"]
    result = {"a": str(a.folder.path), "b": str(b.folder.path)}
    print_result(
        arguments, result | {"differences": [asdict(each) for each in found]}, [*names, *lines]
    )
    return 0


def _lines(found: Sequence[RunDifference]) -> Iterator[str]:
    width = max((len(each.name) for each in found), default=0)
    for of, several in itertools.groupby(found, key=lambda each: each.of):
        yield of
        for each in several:
            yield f"  {each.name:{width}}  {_shown(each.a)} | {_shown(each.b)}"


def _shown(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 3]}..."
