"""`rft data check`: whether data files keep every known rule, and how long their texts are."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_number, add_repeatable, print_result
from bedrock_rft_sim.cli.data.arguments import next_command
from bedrock_rft_sim.stats.shares import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_rft_sim.data.plan import Steps
    from bedrock_rft_sim.data.prepare.audit import Audit, AuditedFile, CounterOf
    from bedrock_rft_sim.data.prepare.lengths import FileLengths, LengthSummary
    from bedrock_rft_sim.data.rules import RuleSeverity
    from bedrock_rft_sim.recipe import Recipe


SEVERITIES: tuple[RuleSeverity, ...] = ("error", "warning", "note")
HELP = "check data files against every known rule"
DESCRIPTION = """Check data files against every rule of the user guide, the Forge SDK and the sample
validator, and say who requires it. With a tokenizer: how long the texts are. Exit code 1: an error
was found, or more than half of the prompts are too long; warnings and notes pass."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a training file")
    validation = "a validation file, which needs no 100 records"
    add_repeatable(verb, "--validation", "FILE", validation, type=Path)
    verb.add_argument("--model", help="count tokens as this model does: tiny, a folder, a Hub id")
    limit = "count the prompts over N tokens (default the recipe's maxPromptLength)"
    add_number(verb, "--max-prompt-length", limit)
    recipe = "take model and maxPromptLength from it, and show the steps that result"
    verb.add_argument("--recipe", help=recipe)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    from bedrock_rft_sim.data.prepare.audit import audit
    from bedrock_rft_sim.recipe import load_recipe

    recipe = None if arguments.recipe is None else load_recipe(arguments.recipe)
    found = audit(arguments.files, arguments.validation, counter_of=_counter_of(arguments, recipe))
    steps = [_steps(file, found, recipe) for file in found.files]
    report = found.as_json()
    for file, planned in zip(report["files"], steps, strict=True):
        file["steps"] = None if planned is None else asdict(planned)
    told = chain(_file_lines(found, steps), _finding_lines(found))
    print_result(arguments, report, chain(told, _next(arguments) if found.ok else ()))
    return 0 if found.ok else EXIT_FAILED


def _next(arguments: argparse.Namespace) -> list[str]:
    if arguments.recipe is not None:
        return next_command("check", arguments.recipe)
    held_out = arguments.validation[:1]
    options = [word for path in held_out for word in ("--validation", str(path))]
    return next_command("init", "--data", str(arguments.files[0]), *options)


def _counter_of(arguments: argparse.Namespace, recipe: Recipe | None) -> CounterOf | None:
    from bedrock_rft_sim.errors import RecipeError

    limit = arguments.max_prompt_length
    model = arguments.model or (recipe.model if recipe else None)
    if model is None and limit is not None:
        raise RecipeError(
            "a prompt has no length in tokens without a tokenizer",
            where="--max-prompt-length",
            expected="--model or --recipe beside it",
            found=str(limit),
            hint="name the model whose tokenizer shall count, such as --model Qwen/Qwen3-0.6B",
        )
    if model is None:
        return None
    from bedrock_rft_sim.data.plan import template_options
    from bedrock_rft_sim.data.prepare.lengths import LengthCounter
    from bedrock_rft_sim.data.tokens import load_tokenizer

    if limit is None and recipe is not None:
        limit = recipe.settings.max_prompt_length
    options = {} if recipe is None else template_options(recipe)
    return partial(LengthCounter, load_tokenizer(model), limit=limit, template_options=options)


def _steps(file: AuditedFile, found: Audit, recipe: Recipe | None) -> Steps | None:
    """Return the calendar of a run on this file; None where no recipe or too few prompts."""
    if recipe is None or file.lengths is None or file.part != "training":
        return None
    from bedrock_rft_sim.data import plan
    from bedrock_rft_sim.data.selection import split_rows
    from bedrock_rft_sim.errors import DataError

    settings = recipe.settings
    validates = any(each.part == "validation" for each in found.files)
    prompts: list[int] = list(file.prompts)
    if settings.validation_split is not None and not validates:
        prompts, held_out = split_rows(
            prompts, settings.validation_split, settings.validation_split_seed
        )
        validates = bool(held_out)
    limit = file.lengths.limit
    kept = sum(limit is None or length <= limit for length in prompts)
    try:
        return plan.steps(kept, settings, validates=validates)
    except DataError:
        return None


def _file_lines(found: Audit, steps: list[Steps | None]) -> Iterator[str]:
    for file, planned in zip(found.files, steps, strict=True):
        yield f"{file.path}  {file.records:,} records, {file.valid:,} valid ({file.part})"
        if file.lengths is not None:
            yield from _length_lines(file.lengths, file.valid)
        if planned is not None:
            yield (
                f"  steps             {planned.per_epoch:,} an epoch, {planned.total:,} in all, "
                f"last checkpoint after step {planned.checkpoints[-1]:,}"
            )
    if all(file.lengths is None for file in found.files):
        yield "  token lengths     not counted: name a tokenizer with --model or --recipe"


def _length_lines(lengths: FileLengths, valid: int) -> Iterator[str]:
    yield f"  prompt tokens     {_words(lengths.prompt)} (as {lengths.model} counts)"
    yield f"  reference tokens  {_words(lengths.reference)}"
    if lengths.limit is not None and lengths.dropped is not None:
        share = lengths.dropped / max(valid, 1)
        dropped = f"{lengths.dropped:,} prompts ({percent(share)}) would be dropped"
        yield f"  maxPromptLength   {lengths.limit:,}: {dropped}"
    if lengths.recommended_prompt is not None:
        yield f"  recommended       maxPromptLength {lengths.recommended_prompt:,} (2 x p99)"
    if lengths.recommended_answer is not None:
        advice = f"inferenceMaxTokens {lengths.recommended_answer:,} (3 x p99 of the references)"
        yield f"                    {advice}"


def _words(summary: LengthSummary | None) -> str:
    if summary is None:
        return "none"
    ends = f"p99 {summary.p99:,}, longest {summary.longest:,}"
    return f"shortest {summary.shortest:,}, median {summary.median:g}, {ends}"


def _finding_lines(found: Audit) -> Iterator[str]:
    from bedrock_rft_sim.data.rules import RULES

    for rule in sorted(RULES.values(), key=lambda rule: SEVERITIES.index(rule.severity)):
        findings = [finding for finding in found.findings if finding.rule == rule]
        if findings:
            yield f"{rule.severity:8} {rule.id}: {findings[0].first.what}"
            yield from (f"         {each.place}: {each.first.found}" for each in findings)
            yield f"         expected: {rule.expected}"
            yield f"         required by: {rule.holder} ({rule.source})"
            yield f"         next: {rule.hint}"
    verdict = "keeps every rule that matters" if found.ok else "would be refused or can't be used"
    counts = Counter(finding.rule.severity for finding in found.findings)
    yield f"verdict  {verdict}: {', '.join(f'{name}s {counts[name]}' for name in SEVERITIES)}"
