"""Grade answers that must not score, and judge what they earned.

A bad answer that earns the top score is an error.
Partial credit is a warning above a share of the top score: a tenth for answers without content
(empty, refusal, the prompt again), 0.8 for those that come near, which is what AWS's best practices
allow for reasoning; below that it is a note.
An answer that breaks the handler is an error: one such rollout fails the whole event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader, Outcomes
from bedrock_rft_sim.grader.audit.audited_rows import AuditedRow
from bedrock_rft_sim.grader.audit.checks import AuditFinding, Severity
from bedrock_rft_sim.grader.audit.wrong_answers import WRONG_ANSWERS
from bedrock_rft_sim.grader.fault_search import Broken
from bedrock_rft_sim.grader.good_replies import ROUNDING
from bedrock_rft_sim.grader.samples import Grade, Sample

NO_CONTENT = frozenset({"empty", "refusal", "prompt-echo"})
PARTIAL_WITHOUT_CONTENT = 0.1
PARTIAL_NEAR = 0.8
PADDING_PAYS = 0.1  # of the top score, over the same answer without padding
DIGITS = "unicode-digits"
FORGIVABLE = frozenset({DIGITS})  # the value is right, only its spelling is odd
SHOWN_CHARS = 60


@dataclass(frozen=True)
class WrongGraded:
    """What one check's answers earned."""

    check: str
    samples: Sequence[Sample]
    outcomes: Outcomes
    findings: tuple[AuditFinding, ...]
    untold: str | None
    """Why nobody can tell, where nothing could be judged."""

    @property
    def scores(self) -> dict[str, float]:
        """By row id, those that were graded."""
        return {
            name.removesuffix(f"#{self.check}"): outcome.score
            for name, outcome in self.outcomes.items()
            if isinstance(outcome, Grade)
        }


def grade_wrong(
    audited: AuditedGrader,
    rows: Sequence[AuditedRow],
    *,
    check: str,
    top: float,
    plain: WrongGraded | None = None,
) -> WrongGraded:
    """Grade one kind of wrong answer over all rows.

    Of the check of digits only what a plain wrong answer to the row (`plain`) did not come to is a
    finding: else digits are not the matter.
    """
    phrased = ((row, WRONG_ANSWERS[check](row)) for row in rows)
    samples = [row.answer(text, kind=check) for row, text in phrased if text is not None]
    outcomes = audited.grade(samples) if samples else {}
    judged = samples
    if check == DIGITS and plain is not None:
        judged = [sample for sample in samples if _is_of_digits(sample, outcomes, plain)]
    findings = [*broken_answers(audited, check, judged, outcomes)]
    findings += _scored(audited, check, judged, outcomes, top)
    untold = _untold(judged, samples, outcomes)
    return WrongGraded(check, samples, outcomes, tuple(findings), untold)


def _untold(judged: Sequence[Sample], samples: Sequence[Sample], outcomes: Outcomes) -> str | None:
    if not samples:
        return "no such answer can be phrased for these references"
    fine = (isinstance(each, Grade) and each.score <= 0 for each in outcomes.values())
    return None if judged or any(fine) else "a plain wrong answer does as much"


def _is_of_digits(sample: Sample, outcomes: Outcomes, plain: WrongGraded) -> bool:
    row = sample.id.removesuffix(f"#{DIGITS}")
    found, beside = outcomes.get(sample.id), plain.outcomes.get(f"{row}#{plain.check}")
    if beside is None or isinstance(found, Broken):
        return not isinstance(beside, Broken)
    return not (isinstance(found, Grade) and isinstance(beside, Grade)) or (
        found.score > beside.score
    )


def broken_answers(
    audited: AuditedGrader, check: str, samples: Sequence[Sample], outcomes: Outcomes
) -> Iterator[AuditFinding]:
    """A finding where answers break the reward."""
    named = {sample.id for sample in samples}
    broken = [
        outcome
        for name, outcome in outcomes.items()
        if isinstance(outcome, Broken) and name in named
    ]
    if not broken:
        return
    shown = next((outcome for outcome in broken if outcome.alone), broken[0])
    sample = next(sample for sample in samples if sample.id == shown.id)
    what = (
        f"{len(broken)} of {len(samples)} answers break the reward ({shown.kind}): "
        f"{_excerpt(sample)}: {shown.message}"
    )
    yield audited.finding(check, "error", what, [sample])


def padding_pays(
    audited: AuditedGrader, padded: WrongGraded, unpadded: Mapping[str, float], *, top: float
) -> list[AuditFinding]:
    """Whether a wrong answer earns more for its length."""
    scores = padded.scores
    gains = {
        sample.id: (sample, scores[name] - unpadded[name])
        for sample in padded.samples
        if (name := sample.id.removesuffix("#padding")) in scores and name in unpadded
    }
    paid = [pair for pair in gains.values() if pair[1] > PADDING_PAYS * top]
    if not paid:
        return []
    what = (
        f"{len(paid)} of {len(gains)} wrong answers earn more with 10,000 characters of padding, "
        f"the first {paid[0][1]:+g}"
    )
    return [audited.finding("padding", "warning", what, [paid[0][0]])]


def _scored(
    audited: AuditedGrader, check: str, samples: Sequence[Sample], outcomes: Outcomes, top: float
) -> Iterator[AuditFinding]:
    scored = [
        (sample, outcome.score)
        for sample in samples
        if isinstance(outcome := outcomes[sample.id], Grade) and outcome.score > 0
    ]
    full = [sample for sample, score in scored if score >= top - ROUNDING]
    partial = [pair for pair in scored if pair[1] < top - ROUNDING]
    severity: Severity
    if full:
        severity = "warning" if check in FORGIVABLE else "error"
        shown = min(full, key=lambda sample: len(_text(sample)))
        earned = f"{len(full)} of {len(samples)} answers earn the top score ({top:g})"
        yield audited.finding(check, severity, f"{earned}: {_excerpt(shown)}", [shown])
    if partial:
        shown, best = max(partial, key=lambda pair: pair[1])
        limit = top * (PARTIAL_WITHOUT_CONTENT if check in NO_CONTENT else PARTIAL_NEAR)
        severity = "warning" if best > limit else "note"
        earned = f"{len(partial)} of {len(samples)} answers earn partial credit, at most "
        what = f"{earned}{best:g} of {top:g}: {_excerpt(shown)}"
        yield audited.finding(check, severity, what, [shown])


def _text(sample: Sample) -> str:
    return str(sample.messages[-1]["content"])


def _excerpt(sample: Sample) -> str:
    text = _text(sample)
    cut = text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}"
    return f"{sample.id} with {cut!r}"
