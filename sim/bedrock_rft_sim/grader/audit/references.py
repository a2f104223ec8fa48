"""Every good reply under every payload variant, and what that says of the reward.

A variant is a payload profile with plain strings sent as they are or wrapped as {"text": ...}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.grader.audit.bench import event_of
from bedrock_rft_sim.grader.audit.checks import BY_NAME
from bedrock_rft_sim.grader.audit.findings import Finding, Severity
from bedrock_rft_sim.grader.audit.opener import OpenGrader
from bedrock_rft_sim.grader.audit.redact import Redactor
from bedrock_rft_sim.grader.gold import (
    ROUNDING,
    Failure,
    ProfileGrades,
    ProfileResult,
    Record,
    grade_profile,
    highest,
)
from bedrock_rft_sim.grader.halving import Broken
from bedrock_rft_sim.grader.records import Grade, Sample

SHOWN_IDS = 3


@dataclass(frozen=True)
class References:
    """The good replies and what they earned, the variant in use first."""

    samples: tuple[Sample, ...]
    own: ProfileGrades
    others: tuple[ProfileGrades, ...]
    results: tuple[ProfileResult, ...]
    top_score: float

    @property
    def scores(self) -> dict[str, float]:
        """By row id, under the variant in use."""
        return {each.id: each.score for each in self.own.outcomes if isinstance(each, Grade)}

    @property
    def answers(self) -> int:
        """Graded in all."""
        return len(self.samples) * (1 + len(self.others))

    @property
    def invocations(self) -> int:
        """Over all variants, answered or not."""
        return sum(graded.calls for graded in (self.own, *self.others))


def variants(rows: Sequence[Record], *, profile: str, wrap: bool) -> list[tuple[str, bool]]:
    """The variant in use first, then the other profiles, then the other way to send strings."""
    wraps = [wrap]
    if any(isinstance(row.reference_answer, str) for row in rows):
        wraps.append(not wrap)
    found = [(name, each) for each in wraps for name in PROFILES]
    return sorted(found, key=lambda variant: variant != (profile, wrap))


def grade_references(
    open_grader: OpenGrader,
    samples: Sequence[Sample],
    found: Sequence[tuple[str, bool]],
    *,
    skipped: int,
    redactor: Redactor,
) -> References:
    """Grade every good reply under every variant; a handler that can't be loaded raises.

    A reward that times out on all of them is not asked under another variant.
    """
    graded: list[ProfileGrades] = []
    for profile, wrap in found:
        opener = partial(open_grader, wrap=wrap)
        graded.append(grade_profile(opener, samples, profile=profile, wrapped=wrap))
        if samples and all(_timed_out(outcome) for outcome in graded[0].outcomes):
            break
    top = highest(graded)
    results = [each.result(top_score=top, skipped=skipped) for each in graded]
    shown = tuple(_redacted(result, redactor) for result in results)
    return References(tuple(samples), graded[0], tuple(graded[1:]), shown, top)


def check_references(
    references: References, *, unphrased: Sequence[str], redactor: Redactor
) -> list[Finding]:
    """Findings for `reference` and `profiles`."""
    own, *others = references.results
    by_id = {sample.id: sample for sample in references.samples}
    findings = [*_unphrased(own, unphrased)]
    told: set[tuple[str | None, str, int]]
    elsewhere = [variant_name(other) for other in others if other.ok]
    hint = f"; every good reply passes under {' and under '.join(elsewhere)}" if elsewhere else ""
    findings += [
        _failed("reference", "error", own, failure, by_id, redactor, hint=hint)
        for failure in own.failures
    ]
    told = {(None, failure.kind, failure.count) for failure in own.failures}
    for other in others:
        # That Nova wraps strings is nowhere said; that open weights get them plain is documented.
        is_likely = other.wrapped == own.wrapped or own.wrapped
        severity: Severity = "warning" if is_likely else "note"
        for failure in other.failures:
            same = {(name, failure.kind, failure.count) for name in (None, other.profile)}
            if not same & told:
                findings.append(_failed("profiles", severity, other, failure, by_id, redactor))
            told |= same - {(None, failure.kind, failure.count)}
    return findings


def variant_name(result: ProfileResult) -> str:
    """The profile, and that strings are wrapped where they are."""
    return f"{result.profile}, strings wrapped" if result.wrapped else result.profile


def _unphrased(own: ProfileResult, ids: Sequence[str]) -> Iterator[Finding]:
    remedy = "give this reward's good replies with --replies FILE (JSONL of id and answer)"
    if own.graded == 0:
        what = "no row has a good reply that is known, so nothing could be graded"
        yield Finding("reference", "error", what, remedy)
    elif ids:
        shown = ", ".join(ids[:SHOWN_IDS])
        what = f"{len(ids)} rows have no good reply that is known and were not graded: {shown}"
        yield Finding("reference", "warning", what, remedy)


def _failed(
    check: str,
    severity: Severity,
    result: ProfileResult,
    failure: Failure,
    by_id: Mapping[str, Sample],
    redactor: Redactor,
    *,
    hint: str = "",
) -> Finding:
    what = (
        f"{failure.count} of {result.graded} good replies under {variant_name(result)}: "
        f"{failure.kind}, first {failure.first_id}: {failure.detail}"
    )
    event = event_of(
        [by_id[failure.first_id]],
        profile=result.profile,
        wrap=bool(result.wrapped),
        redactor=redactor,
    )
    remedy = BY_NAME[check].remedy + hint
    return Finding(check, severity, redactor.text(what), remedy, event)


def _redacted(result: ProfileResult, redactor: Redactor) -> ProfileResult:
    failures = tuple(
        replace(failure, detail=redactor.text(failure.detail)) for failure in result.failures
    )
    return replace(result, failures=failures)


def _timed_out(outcome: Grade | Broken) -> bool:
    return isinstance(outcome, Broken) and outcome.kind == "times out"


def passing(references: References) -> set[str]:
    """The ids of the rows whose good reply earned the top score under the variant in use."""
    top = references.top_score
    scores = references.scores.items()
    return {name for name, score in scores if score >= top - ROUNDING} if top > 0 else set()
