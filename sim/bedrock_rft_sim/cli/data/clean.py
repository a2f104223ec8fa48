"""`rft data clean`: duplicates, contradictions, leaks and overlaps; texts in normal form."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_path, print_result
from bedrock_rft_sim.cli.data.arguments import add_output, next_command, print_written, to_check

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.clean import Examination

KINDS = ("exact", "near", "contradiction", "overlap", "mislabelled", "leak", "not-executable")
SHOWN = 20
HELP = "find duplicates, contradictions, leaks and overlaps; normalise texts"
DESCRIPTION = """With -o the file is written in normal form, without the rows to drop. Without it
the findings are only reported; exit code 1: there are some."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("file", type=Path, metavar="FILE")
    add_output(verb, required=False)
    others = "validation or test files whose questions must not be in FILE"
    add_path(verb, "--against", others, metavar="OTHER", nargs="+", default=[])
    drop = "what to leave out (repeatable; default exact; the rest is only reported)"
    verb.add_argument("--drop", action="append", choices=(*KINDS, "nothing"), help=drop)
    kept = "which of several duplicates stays (default first)"
    verb.add_argument("--keep", choices=("first", "last", "longest"), default="first", help=kept)
    near = "Jaccard similarity of word triples from which questions are near (default 0.6)"
    verb.add_argument("--threshold", type=_share, default=0.6, metavar="J", help=near)
    add_flag(verb, "--no-near", "don't look for near duplicates")
    fold = "fold compatible characters in prompts too; it turns x² into x2, which changes maths"
    add_flag(verb, "--nfkc", fold)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Clean, or only look; print what was found."""
    from bedrock_rft_sim.data.prepare.clean import clean_file, examine_files

    choices: dict[str, Any] = {
        "against": arguments.against,
        "drop": frozenset(arguments.drop or ["exact"]) - {"nothing"},
        "keep": arguments.keep,
        "threshold": None if arguments.no_near else arguments.threshold,
    }
    if arguments.out is None:
        found = examine_files(arguments.file, **choices)
        file: Path = arguments.file
        out = str(file.with_stem(f"{file.stem}-clean"))
        again = next_command("data", "clean", str(file), "-o", out)
        unusable = [found.unusable.words] if found.unusable.count else []
        lines = [*_lines(found), *unusable, *(again if found.remarks else to_check([file]))]
        print_result(arguments, _as_json(found), lines)
        return EXIT_FAILED if found.remarks else 0
    output, found = clean_file(
        arguments.file, arguments.out, nfkc=arguments.nfkc, force=arguments.force, **choices
    )
    rewritten = f"  {output.manifest()['notes']['rewritten']:,} rows rewritten in normal form"
    print_written(arguments, output, before=_lines(found), after=[rewritten])
    return 0


def _as_json(found: Examination) -> dict[str, Any]:
    remarks = [remark.as_json() for remark in found.remarks]
    return {
        "rows": found.rows,
        "found": found.counts,
        "remarks": remarks,
        "unusable": asdict(found.unusable),
    }


def _lines(found: Examination) -> list[str]:
    from bedrock_rft_sim.data.prepare.clean import REASONS
    from bedrock_rft_sim.stats.shares import counted

    lines = [f"{counted(found.rows, 'row')} looked through"]
    for kind, reason in REASONS.items():
        remarks = [remark for remark in found.remarks if remark.kind == kind]
        lines += [f"{kind}: {len(remarks):,} ({reason})"] if remarks else []
        for remark in remarks[:SHOWN]:
            other = f" <-> {remark.other[0]}:{remark.other[1]}" if remark.other else ""
            alike = f" ({remark.similarity:.2f})" if remark.similarity is not None else ""
            lines.append(f"  {remark.source}:{remark.line}{other}{alike}  {remark.detail}")
        if len(remarks) > SHOWN:
            lines.append(f"  and {len(remarks) - SHOWN:,} more; --json lists them all")
    if found.not_looked_at:
        lines.append(f"{found.not_looked_at:,} proposed pairs in crowds of copies not compared")
    return lines if found.remarks else [*lines, "nothing found"]
