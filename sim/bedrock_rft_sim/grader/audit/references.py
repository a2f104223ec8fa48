"""Every good reply under every payload variant, and what that says of the reward.

A variant is a payload profile with plain strings sent as they are or wrapped as {"text": ...}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader import good_replies
from bedrock_rft_sim.grader.audit.checks import BY_NAME, AuditFinding, Severity
from bedrock_rft_sim.grader.event import build_event
from bedrock_rft_sim.grader.fault_search import timed_out
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, Sample
from bedrock_rft_sim.stats.shares import counted

SHOWN_IDS = 3


@dataclass(frozen=True)
class References:
    """The good replies and what they earned, the variant in use first."""

    samples: tuple[Sample, ...]
    own: good_replies.ProfileGrades
    others: tuple[good_replies.ProfileGrades, ...]
    results: tuple[good_replies.ProfileResult, ...]
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
        return sum(graded.search.calls for graded in (self.own, *self.others))


def variants(rows: Sequence[Row], reward: RewardFile) -> list[tuple[str, bool]]:
    """The variant in use first, then the other profiles, then the other way to send strings."""
    wraps = [reward.wrap]
    if any(isinstance(row.reference_answer, str) for row in rows):
        wraps.append(not reward.wrap)
    found = [(name, each) for each in wraps for name in PROFILES]
    return sorted(found, key=lambda variant: variant != (reward.profile, reward.wrap))


def grade_references(
    reward: RewardFile,
    samples: Sequence[Sample],
    found: Sequence[tuple[str, bool]],
    *,
    skipped: int,
) -> References:
    """Grade every good reply under every variant; a handler that can't be loaded raises.

    A reward that times out on all of them is not tried under another variant.
    """
    graded: list[good_replies.ProfileGrades] = []
    for profile, wrap in found:
        graded.append(good_replies.grade_profile(reward.once(profile, wrap=wrap), samples))
        if samples and all(map(timed_out, graded[0].outcomes)):
            break
    top = good_replies.highest(graded)
    results = tuple(each.result(top_score=top, skipped=skipped) for each in graded)
    return References(tuple(samples), graded[0], tuple(graded[1:]), results, top)


def check_references(references: References, *, unphrased: Sequence[str]) -> list[AuditFinding]:
    """Findings for `reference` and `profiles`."""
    own, *others = references.results
    by_id = {sample.id: sample for sample in references.samples}
    findings = [*_unphrased(own, unphrased)]
    elsewhere = [other.variant for other in others if other.ok]
    hint = f"; every good reply passes under {' and under '.join(elsewhere)}" if elsewhere else ""
    if not own.wrapped and any(other.ok and other.wrapped for other in others):
        hint += "; --wrap (in a recipe local.wrapStringAsText: true) wraps them"
    findings += [
        _failed("reference", "error", own, failure, by_id, hint=hint) for failure in own.failures
    ]
    known: set[tuple[str | None, str, int]] = {
        (None, failure.kind, failure.count) for failure in own.failures
    }
    for other in others:
        # That Nova wraps strings is nowhere said; that open weights get them plain is documented.
        is_likely = other.wrapped == own.wrapped or own.wrapped
        severity: Severity = "warning" if is_likely else "note"
        for failure in other.failures:
            same = {(name, failure.kind, failure.count) for name in (None, other.profile)}
            if not same & known:
                findings.append(_failed("profiles", severity, other, failure, by_id))
            known |= same - {(None, failure.kind, failure.count)}
    return findings


def _unphrased(own: good_replies.ProfileResult, ids: Sequence[str]) -> Iterator[AuditFinding]:
    remedy = "give this reward's good replies with --replies FILE (JSONL of id and answer)"
    if own.graded == 0:
        what = "no row has a good reply that is known, so nothing could be graded"
        yield AuditFinding("reference", "error", what, remedy)
    elif ids:
        shown = ", ".join(ids[:SHOWN_IDS])
        what = f"{counted(len(ids), 'row')} without a known good reply, not graded: {shown}"
        yield AuditFinding("reference", "warning", what, remedy)


def _failed(
    check: str,
    severity: Severity,
    result: good_replies.ProfileResult,
    failure: good_replies.Failure,
    by_id: Mapping[str, Sample],
    *,
    hint: str = "",
) -> AuditFinding:
    what = (
        f"{failure.count} of {result.graded} good replies under {result.variant}: "
        f"{failure.kind}, first {failure.first_id}: {failure.detail}"
    )
    event = build_event(
        [by_id[failure.first_id]], profile=result.profile, wrap_string_as_text=result.wrapped
    )
    return AuditFinding(check, severity, what, BY_NAME[check].remedy + hint, event)


def passing(references: References) -> set[str]:
    """The ids of the rows whose good reply earned the top score under the variant in use."""
    if references.top_score <= 0:
        return set()
    floor = references.top_score - good_replies.ROUNDING
    return {name for name, score in references.scores.items() if score >= floor}
