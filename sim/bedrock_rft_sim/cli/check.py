"""`rft check`: everything that can be known before a step."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    EXIT_FAILED,
    add_flag,
    add_recipe,
    add_source,
    print_result,
)
from bedrock_rft_sim.cli.audit import add_audit_options
from bedrock_rft_sim.cli.estimate import MEGABYTE, NOT_ONE_STEP, worded
from bedrock_rft_sim.stats.shares import counted

if TYPE_CHECKING:
    from bedrock_rft_sim.diagnosis.check import RecipeCheck, RewardAudit

HELP = "check a recipe, its data and its reward without training"
DESCRIPTION = """Exit code 1: Bedrock would refuse the request or the data, or the audit of the
reward found an error that is not waived, or the model does not fit the recipe, or more than half of
the prompts are too long to be trained on."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    add_flag(verb, "--ledger", "print the whole ledger of deviations")
    add_flag(verb, "--no-audit", "only grade the good replies, as a quick look")
    add_flag(verb, "--advice", "print every published starting point, kept or not")
    measured = "a run, latest, or the .json of rft probe, for the estimate and the advice"
    add_source(verb, "--measured", "PATH", measured)
    add_audit_options(verb)


def run(arguments: argparse.Namespace) -> int:
    """Check the recipe and print what was found."""
    from bedrock_rft_sim.diagnosis.check import check
    from bedrock_rft_sim.grader.audit.saved_answers import read_replies
    from bedrock_rft_sim.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    arguments.progress.at(f"reading {recipe.local.trainingData}")
    found = check(
        recipe,
        reward_audit=None if arguments.no_audit else audit_wanted(arguments, recipe.local.seed),
        replies=None if arguments.replies is None else read_replies(arguments.replies),
        measured=arguments.measured,
    )
    print_result(arguments, found.as_json(), _lines(found, arguments))
    return 0 if found.ok else EXIT_FAILED


def audit_wanted(arguments: argparse.Namespace, seed: int) -> RewardAudit:
    """Return the audit that the options ask for."""
    from bedrock_rft_sim.diagnosis.check import RewardAudit
    from bedrock_rft_sim.grader.audit import AuditSettings

    rows = arguments.rows
    return RewardAudit(
        settings=None if rows is None else AuditSettings(seed=seed, rows=rows),
        waivers=dict(arguments.waive),
        progress=lambda words: arguments.progress.at(f"audit: {words}"),
    )


def _lines(found: RecipeCheck, arguments: argparse.Namespace) -> Iterator[str]:
    from bedrock_rft_sim.cli.audit_text import short_lines

    for lines in (_request, _data, _model, _reward):
        yield from lines(found)
    if found.audit is not None:
        yield from short_lines(found.audit, evidence=arguments.evidence)
    yield from _advice(found, every=arguments.advice)
    yield _estimate(found)
    yield from _ledger(found, whole=arguments.ledger)
    yield verdict(found)


def _request(found: RecipeCheck) -> Iterator[str]:
    recipe = found.recipe
    yield f"recipe   {recipe.name} ({recipe.dialect} dialect), base model {recipe.base_model}"
    yield from (f"  Bedrock would refuse: {refusal}" for refusal in recipe.refusals)
    for name, value in recipe.overrides.items():
        yield f"  only here: {name} = {value} (local.overrides)"


def _data(found: RecipeCheck) -> Iterator[str]:
    data, tokens, steps = found.data, found.prompt_tokens, found.steps
    yield (
        f"data     {data.records:,} records: {len(data.train):,} prompts to train on, "
        f"{len(data.validation):,} to validate, {tokens.dropped:,} dropped as too long"
    )
    yield (
        f"  prompt tokens: shortest {tokens.shortest}, median {tokens.median:g}, "
        f"p99 {tokens.p99}, longest {tokens.longest}, maxPromptLength {tokens.limit}"
    )
    yield from (f"  {finding}" for finding in found.data_findings)
    settings = found.recipe.settings
    yield (
        f"steps    {steps.total:,} of {settings.batch_size} prompts x "
        f"{settings.samples_per_prompt} answers = {steps.total * settings.rollouts_per_step:,} "
        "rollouts"
    )
    yield f"  checkpoints after steps {_listed(steps.checkpoints)}"
    yield f"  validation after steps {_listed(steps.validations) or 'none'}"


def _model(found: RecipeCheck) -> Iterator[str]:
    yield f"model    {found.recipe.local.model}, by its tokenizer and chat template"
    for finding in found.model:
        if finding.fired:
            yield f"  {finding.severity}: {finding.words}"


def _listed(steps: tuple[int, ...], shown: int = 8) -> str:
    if len(steps) <= shown:
        return ", ".join(map(str, steps))
    return f"{', '.join(map(str, steps[: shown - 1]))}, ... {steps[-1]}"


def _reward(found: RecipeCheck) -> Iterator[str]:
    from bedrock_rft_sim.cli.audit_text import result_lines

    local = found.recipe.local
    own = (local.payloadProfile, local.wrapStringAsText)
    yield "reward   reference answers, phrased as good replies, that earn the top score:"
    for result in found.profiles:
        name = f"{result.profile}, strings {'wrapped' if result.wrapped else 'plain'}"
        if result.wrapped == own[1]:
            name = f"{result.profile:9}"
        used = "  (this run's profile)" if (result.profile, result.wrapped) == own else ""
        yield from result_lines(result, name, used)


def _advice(found: RecipeCheck, *, every: bool) -> Iterator[str]:
    kept = sum(finding.severity == "clear" for finding in found.guidance)
    beside = sum(finding.severity == "warning" for finding in found.guidance)
    hint = "" if every else "; --advice prints all"
    yield f"advice   {kept} published starting points kept, {beside} not{hint}"
    for each in found.guidance:
        # What was seen here counts even where a published line is kept.
        if every or each.severity == "warning" or each.seen is not None:
            seen = "" if each.seen is None else f" Seen: {each.seen}."
            yield f"  {each.rule} {each.says}: {each.remedy} ({each.source}).{seen}"


def _estimate(found: RecipeCheck) -> str:
    job, memory = found.estimate.job, found.estimate.memory
    parts = []
    if job is None:
        parts.append(f"no job: {not_one_step(found)}")
    else:
        parts += [
            f"{counted(job.steps.total, 'step')} on Bedrock",
            f"response tokens {worded(job.response_tokens)}",
            f"Lambda invocations {worded(job.lambda_invocations)}",
        ]
    if memory is not None:
        parts.append(f"here about {memory.total / MEGABYTE:,.0f} MB of {memory.place}")
    return f"estimate {', '.join(parts)}; rft estimate shows cost and time"


def _ledger(found: RecipeCheck, *, whole: bool) -> Iterator[str]:
    counts = Counter(row.fidelity for row in found.ledger)
    by_fidelity = ", ".join(f"{count} {fidelity}" for fidelity, count in counts.items())
    hint = "" if whole else "; --ledger prints them"
    yield f"ledger   {len(found.ledger)} knobs and behaviours: {by_fidelity}{hint}"
    for row in found.ledger if whole else ():
        yield f"  {row.fidelity:11} {row.knob}: {row.rehearsal}"
        if row.here:
            yield f"              in this recipe: {row.here}"
        yield f"              why: {row.why} ({row.source})"


def not_one_step(found: RecipeCheck) -> str:
    """Say why a job with these data would train nothing."""
    batch = found.recipe.as_sent().settings.batch_size
    return f"{NOT_ONE_STEP}, {batch}"


def verdict(found: RecipeCheck) -> str:
    """Say whether the recipe is ready, or why not."""
    from bedrock_rft_sim.data.plan import dropped_words

    if found.ok:
        ready = "verdict  ready to rehearse, and Bedrock would accept the request"
        return ready if found.estimate.job is not None else f"{ready}; but {not_one_step(found)}"
    reasons = []
    if found.recipe.refusals:
        remedies = [f" ({refusal.remedy})" for refusal in found.recipe.refusals if refusal.remedy]
        reasons.append("Bedrock would refuse the request" + "".join(remedies[:1]))
    if found.data_errors:
        errors = "; ".join(f"{each.first.what}, {each.rule.hint}" for each in found.data_errors)
        reasons.append(f"Bedrock would refuse the data ({errors})")
    if found.mostly_dropped:
        words = dropped_words(
            found.recipe.settings, found.data.dropped, len(found.data.prompt_tokens)
        )
        reasons.append(f"most of the data would not be trained on ({words})")
    if not found.model_ok:
        reasons.append("the model does not fit the recipe (see above)")
    if not found.reward_ok and found.audit is None:
        reasons.append("the reward does not give reference answers the top score")
    elif not found.reward_ok:
        reasons.append("the audit of the reward found errors (see above)")
    return "verdict  not ready: " + "; ".join(reasons)
