"""How the scores spread: constant, two values, or mostly at the top.

Judged over saved answers where there are any, because those are what a policy writes; else over the
audit's own mix of right, wrong and adversarial answers, which says less.
Source of the 80 % for saturation: rewardspy 0.1.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader
from bedrock_rft_sim.grader.audit.checks import AuditFinding, Severity
from bedrock_rft_sim.grader.good_replies import ROUNDING
from bedrock_rft_sim.grader.samples import Sample
from bedrock_rft_sim.stats.shares import counted, percent

BINARY_SHARE = 0.95
SATURATED_SHARE = 0.8
SCORES_MIN = 8  # fewer say nothing about a spread
DIGITS = 9
NO_TOP = "no good reply earns a score, so there is no top score that others must not earn"
USUAL = 1.0
ABSURD = 10.0  # no source that we know of scores beyond 5


@dataclass(frozen=True)
class ScoreSpread:
    """What the scores look like."""

    source: str
    count: int
    lowest: float | None
    mean: float | None
    highest: float | None
    distinct: int
    at_top: float | None
    """Share of the scores at the top score."""


def spread_of(scores: Sequence[float], *, top: float, source: str) -> ScoreSpread:
    """Summarise scores; nothing is 0 that is not known."""
    if not scores:
        return ScoreSpread(source, 0, None, None, None, 0, None)
    at_top = sum(score >= top - ROUNDING for score in scores) / len(scores)
    distinct = len({round(score, DIGITS) for score in scores})
    mean = sum(scores) / len(scores)
    return ScoreSpread(source, len(scores), min(scores), mean, max(scores), distinct, at_top)


def check_range(
    audited: AuditedGrader, graded: Sequence[tuple[Sample, float]]
) -> list[AuditFinding]:
    """Findings for `range`."""
    beyond = [pair for pair in graded if abs(pair[1]) > USUAL + ROUNDING]
    if not beyond:
        return []
    sample, score = max(beyond, key=lambda pair: abs(pair[1]))
    severity: Severity = "error" if abs(score) > ABSURD else "warning"
    what = f"{len(beyond)} of {len(graded)} answers score beyond -1 to 1: {sample.id} {score:g}"
    return [audited.finding("range", severity, what, [sample])]


def untold(spread: ScoreSpread, *, top: float) -> dict[str, str]:
    """Return which of `constant`, `binary` and `saturated` nobody can tell, and why."""
    if spread.count < SCORES_MIN:
        few = f"{counted(spread.count, 'score')} of {spread.source}, and {SCORES_MIN} are needed"
        return dict.fromkeys(("constant", "binary", "saturated"), few)
    if spread.distinct == 1:
        same = f"all {spread.count} {spread.source} score the same, so they do not spread at all"
        return dict.fromkeys(("binary", "saturated"), same)
    return {} if top > 0 else {"saturated": NO_TOP}


def check_spread(
    audited: AuditedGrader,
    scores: Sequence[float],
    spread: ScoreSpread,
    *,
    top: float,
    pair: Sequence[Sample],
    printed: str,
) -> list[AuditFinding]:
    """Findings for `constant`, `binary` and `saturated`; `pair` is a right and a wrong answer.

    `printed` is what the handler said last: a judge that fails may say so there and nowhere else.
    """
    if spread.count < SCORES_MIN:
        return []
    if spread.distinct == 1:
        said = f"; the handler printed: {printed}" if printed else ""
        what = f"all {spread.count} {spread.source} score {scores[0]:g}{said}"
        return [audited.finding("constant", "error", what, pair)]
    findings = []
    counts = Counter(round(score, DIGITS) for score in scores).most_common(2)
    if sum(count for _, count in counts) >= BINARY_SHARE * spread.count:
        values = " and ".join(f"{value:g}" for value, _ in sorted(counts))
        what = f"{spread.count} {spread.source} score nearly always {values}"
        findings.append(audited.finding("binary", "note", what))
    if top > 0 and spread.at_top is not None and spread.at_top > SATURATED_SHARE:
        what = f"{percent(spread.at_top)} of {spread.count} {spread.source} score the top ({top:g})"
        findings.append(audited.finding("saturated", "warning", what, pair))
    return findings
