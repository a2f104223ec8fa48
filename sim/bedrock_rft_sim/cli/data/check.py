"""`rft data check`: whether data files keep every known rule, and how long their texts are."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.data.arguments import add_reporting, positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_rft_sim.data import Rule, RuleFinding
    from bedrock_rft_sim.data.plan import Steps
    from bedrock_rft_sim.data.prepare.audit import Audit, AuditedFile, CounterOf
    from bedrock_rft_sim.data.prepare.lengths import LengthCounter, LengthSummary
    from bedrock_rft_sim.recipe import Recipe

EXIT_FAILED = 1


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "check",
        help="check data files against every known rule",
        description="Hold data files against every rule of the user guide, the Forge SDK and the "
        "sample validator, each named with its holder. With a tokenizer: how long the texts are. "
        "Exit code 1: an error was found; warnings and notes pass.",
    )
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a training file")
    verb.add_argument(
        "--validation",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a validation file, which needs no 100 records (repeatable)",
    )
    verb.add_argument("--model", help="count tokens as this model does: tiny, a folder, a Hub id")
    verb.add_argument(
        "--max-prompt-length",
        type=positive,
        metavar="N",
        help="count the prompts over N tokens (default the recipe's maxPromptLength)",
    )
    verb.add_argument(
        "--recipe", help="take model and maxPromptLength from it, and tell the steps that result"
    )
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    from bedrock_rft_sim.data.prepare.audit import audit

    recipe = _recipe(arguments.recipe)
    found = audit(arguments.files, arguments.validation, counter_of=_counter_of(arguments, recipe))
    steps = {file.path: _steps(file, found, recipe) for file in found.files}
    if arguments.json:
        print(json.dumps(_as_json(found, steps)))
    else:
        _print(found, steps)
    return 0 if found.ok else EXIT_FAILED


def _recipe(name: str | None) -> Recipe | None:
    if name is None:
        return None
    from bedrock_rft_sim.recipe import load_recipe

    return load_recipe(name)


def _counter_of(arguments: argparse.Namespace, recipe: Recipe | None) -> CounterOf | None:
    from bedrock_rft_sim.data.prepare.lengths import LengthCounter
    from bedrock_rft_sim.data.tokens import load_tokenizer

    model = arguments.model or (recipe.model if recipe else None)
    if model is None:
        _refuse_limit_without_model(arguments)
        return None
    limit = arguments.max_prompt_length
    if limit is None and recipe is not None:
        limit = recipe.settings.max_prompt_length
    tokenizer = load_tokenizer(model)
    options = _template_options(recipe)

    def make(file: str, on_long: Callable[[int, int], None]) -> LengthCounter:
        return LengthCounter(
            tokenizer, file=file, limit=limit, template_options=options, on_long=on_long
        )

    return make


def _template_options(recipe: Recipe | None) -> dict[str, Any]:
    if recipe is None:
        return {}
    from bedrock_rft_sim.data.plan import template_options

    return template_options(recipe)


def _refuse_limit_without_model(arguments: argparse.Namespace) -> None:
    from bedrock_rft_sim.errors import RecipeError

    if arguments.max_prompt_length is not None:
        raise RecipeError(
            "a prompt has no length in tokens without a tokenizer",
            where="--max-prompt-length",
            expected="--model or --recipe beside it",
            found=str(arguments.max_prompt_length),
            hint="name the model whose tokenizer shall count, such as --model Qwen/Qwen3-0.6B",
        )


def _steps(file: AuditedFile, found: Audit, recipe: Recipe | None) -> Steps | None:
    """Return the calendar of a run on this file; None where no recipe or too few prompts."""
    if recipe is None or file.lengths is None or file.part != "training":
        return None
    from bedrock_rft_sim.data import plan, split_rows
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


def _as_json(found: Audit, steps: dict[Path, Steps | None]) -> dict[str, Any]:
    told = found.as_json()
    for file, each in zip(told["files"], steps.values(), strict=True):
        file["steps"] = None if each is None else asdict(each)
    return told


def _print(found: Audit, steps: dict[Path, Steps | None]) -> None:
    for file in found.files:
        print(f"{file.path}  {file.records:,} records, {file.valid:,} valid ({file.part})")
        if file.lengths is not None:
            _print_lengths(file)
        calendar = steps[file.path]
        if calendar is not None:
            print(
                f"  steps             {calendar.per_epoch:,} an epoch, {calendar.total:,} in all, "
                f"last checkpoint after step {calendar.checkpoints[-1]:,}"
            )
    if all(file.lengths is None for file in found.files):
        print("  token lengths     not counted: name a tokenizer with --model or --recipe")
    _print_findings(found)


def _print_lengths(file: AuditedFile) -> None:
    lengths = file.lengths
    assert lengths is not None
    print(f"  prompt tokens     {_words(lengths.prompt)} (as {lengths.model} counts)")
    print(f"  reference tokens  {_words(lengths.reference)}")
    if lengths.limit is not None and lengths.dropped is not None:
        share = lengths.dropped / max(file.valid, 1)
        print(
            f"  maxPromptLength   {lengths.limit:,}: {lengths.dropped:,} prompts "
            f"({share:.1%}) would be dropped"
        )
    if lengths.recommended_prompt is not None:
        print(f"  recommended       maxPromptLength {lengths.recommended_prompt:,} (2 x p99)")
    if lengths.recommended_answer is not None:
        print(
            f"                    inferenceMaxTokens {lengths.recommended_answer:,} "
            "(3 x p99 of the references)"
        )


def _words(spread: LengthSummary | None) -> str:
    if spread is None:
        return "none"
    return (
        f"shortest {spread.shortest:,}, median {spread.median:g}, p99 {spread.p99:,}, "
        f"longest {spread.longest:,}"
    )


def _print_findings(found: Audit) -> None:
    from bedrock_rft_sim.data import RULES

    counts = dict.fromkeys(("error", "warning", "note"), 0)
    order = list(RULES)
    for finding in found.findings:
        counts[finding.rule.severity] += 1
    for severity in counts:
        same_severity = (each for each in found.findings if each.rule.severity == severity)
        for rule, findings in groupby(
            sorted(same_severity, key=lambda finding: order.index(finding.rule.id)),
            key=lambda finding: finding.rule,
        ):
            _print_rule(rule, list(findings))
    words = "keeps every rule that matters" if found.ok else "would be refused or can't be used"
    told = ", ".join(f"{severity}s {count}" for severity, count in counts.items())
    print(f"verdict  {words}: {told}")


def _print_rule(rule: Rule, findings: list[RuleFinding]) -> None:
    print(f"{rule.severity:8} {rule.id}: {findings[0].first.what}")
    for finding in findings:
        print(f"         {finding.place}: {finding.first.found}")
    print(f"         expected: {rule.expected}")
    print(f"         held by: {rule.holder} ({rule.source})")
    print(f"         next: {rule.hint}")
