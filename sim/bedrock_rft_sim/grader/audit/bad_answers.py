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

from bedrock_rft_sim.grader.audit.bench import Bench, Outcomes
from bedrock_rft_sim.grader.audit.findings import Finding, Severity
from bedrock_rft_sim.grader.audit.subjects import Subject
from bedrock_rft_sim.grader.audit.wrong import Phrase
from bedrock_rft_sim.grader.gold import ROUNDING
from bedrock_rft_sim.grader.halving import Broken
from bedrock_rft_sim.grader.records import Grade, Sample

NO_CONTENT = frozenset({"empty", "refusal", "prompt-echo"})
PARTIAL_WITHOUT_CONTENT = 0.1
PARTIAL_NEAR = 0.8
PADDING_PAYS = 0.1  # of the top score, over the same answer without padding
FORGIVABLE = frozenset({"unicode-digits"})  # the value is right, only its spelling is odd
SHOWN_CHARS = 60


@dataclass(frozen=True)
class Asked:
    """What one check's answers earned."""

    check: str
    samples: Sequence[Sample]
    outcomes: Outcomes
    findings: tuple[Finding, ...]

    @property
    def scores(self) -> dict[str, float]:
        """By row id, those that were graded."""
        return {
            name.removesuffix(f"#{self.check}"): outcome.score
            for name, outcome in self.outcomes.items()
            if isinstance(outcome, Grade)
        }


def ask_bad_answers(
    bench: Bench, subjects: Sequence[Subject], *, check: str, phrase: Phrase, top: float
) -> Asked:
    """Grade one kind of bad answer over all subjects."""
    samples = [
        subject.answer(text, kind=check)
        for subject in subjects
        if (text := phrase(subject)) is not None
    ]
    outcomes = bench.ask(samples) if samples else {}
    findings = [*_broken(bench, check, samples, outcomes)]
    findings += _scored(bench, check, samples, outcomes, top)
    return Asked(check, samples, outcomes, tuple(findings))


def padding_pays(
    bench: Bench, padded: Asked, unpadded: Mapping[str, float], *, top: float
) -> list[Finding]:
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
    return [bench.finding("padding", "warning", what, [paid[0][0]])]


def _broken(
    bench: Bench, check: str, samples: Sequence[Sample], outcomes: Outcomes
) -> Iterator[Finding]:
    broken = [outcome for outcome in outcomes.values() if isinstance(outcome, Broken)]
    if not broken:
        return
    shown = next((outcome for outcome in broken if outcome.alone), broken[0])
    sample = next(sample for sample in samples if sample.id == shown.id)
    what = (
        f"{len(broken)} of {len(samples)} answers break the reward ({shown.kind}): "
        f"{_excerpt(sample)}: {shown.message}"
    )
    yield bench.finding(check, "error", what, [sample])


def _scored(
    bench: Bench, check: str, samples: Sequence[Sample], outcomes: Outcomes, top: float
) -> Iterator[Finding]:
    scored = [
        (sample, outcome.score)
        for sample in samples
        if isinstance(outcome := outcomes[sample.id], Grade) and outcome.score > 0
    ]
    full = [pair for pair in scored if pair[1] >= top - ROUNDING]
    limit = top * (PARTIAL_WITHOUT_CONTENT if check in NO_CONTENT else PARTIAL_NEAR)
    partial = [pair for pair in scored if pair not in full]
    if full:
        severity: Severity = "warning" if check in FORGIVABLE else "error"
        earned = f"earn the top score ({top:g})"
        yield _earned(bench, check, severity, full, len(samples), earned)
    if partial:
        best = max(partial, key=lambda pair: pair[1])
        high = [pair for pair in partial if pair[1] > limit]
        severity = "warning" if high else "note"
        earned = f"earn partial credit, at most {best[1]:g} of {top:g}"
        yield _earned(bench, check, severity, [best, *partial], len(samples), earned, len(partial))


def _earned(
    bench: Bench,
    check: str,
    severity: Severity,
    pairs: Sequence[tuple[Sample, float]],
    asked: int,
    earned: str,
    count: int | None = None,
) -> Finding:
    sample, _ = min(pairs, key=lambda pair: len(_text(pair[0]))) if count is None else pairs[0]
    what = f"{count or len(pairs)} of {asked} answers {earned}: {_excerpt(sample)}"
    return bench.finding(check, severity, what, [sample])


def _text(sample: Sample) -> str:
    return str(sample.messages[-1]["content"])


def _excerpt(sample: Sample) -> str:
    text = _text(sample)
    cut = text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}"
    return f"{sample.id} with {cut!r}"
