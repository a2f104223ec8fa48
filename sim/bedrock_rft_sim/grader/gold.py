"""Does the reward reward a right answer? Grades every reference, phrased as a good reply.

Each payload profile is tried with containers of its own, because a handler that reads the reference
from another place than the service sends it either raises or scores everything 0, silently.
The phrasing is a guess at what a good reply looks like: a reward that wants another form should be
tested with replies of that form.
It looks for nothing else: hackability, determinism and spread are the audit's.

Source: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (reference answers must
earn the maximum score).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.halving import Broken, BrokenKind, Halving
from bedrock_rft_sim.grader.records import Grade, Invocation, Sample

Kind = Literal["silent zero", "below the top score"] | BrokenKind
REFERENCE_KEYS = ("final_answer", "text", "answer", "ground_truth")
ROUNDING = 1e-9  # scores this near the top are the top


class Record(Protocol):
    """What is needed of a data row."""

    @property
    def id(self) -> str:
        """Its name, unique in the file."""

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The prompt."""

    @property
    def reference_answer(self) -> str | Mapping[str, Any] | None:
        """What the reward compares with."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """Every other key of the record."""


@dataclass(frozen=True)
class Failure:
    """The first sample of its kind that did not earn the top score."""

    kind: Kind
    count: int
    first_id: str
    detail: str


@dataclass(frozen=True)
class ProfileResult:
    """How one payload profile fared.

    `skipped` rows have no reference, or one of unknown shape.
    Where too many events break, or time out, their samples are counted together and `exact` is
    false.
    """

    profile: str
    graded: int
    passed: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float
    exact: bool = True
    wrapped: bool | None = None
    """Whether plain strings travelled as {"text": ...}; None where that was the grader's affair."""

    @property
    def ok(self) -> bool:
        """Whether every good reply that was graded earned the top score."""
        return self.graded == self.passed and self.graded > 0


def good_reply(reference: str | Mapping[str, Any] | None) -> str | None:
    """A reference phrased as a right answer; None where its shape is not known."""
    if isinstance(reference, str):
        text = reference.strip()
        return (text if "####" in text or not _is_number(text) else f"#### {text}") or None
    if not isinstance(reference, Mapping):
        return None
    key = next((name for name in REFERENCE_KEYS if reference.get(name) is not None), None)
    if key is None:
        return None
    if key == "text":
        return good_reply(str(reference["text"]))
    steps = reference.get("steps") or []
    lines = [str(step) for step in steps] if isinstance(steps, list) else [str(steps)]
    answer = [f"ANSWER: {reference[key]}"] if key == "answer" else []
    return "\n".join([*lines, *answer, f"#### {reference[key]}"])


def check_reward(
    open_grader: Callable[[str], Grader],
    rows: Iterable[Record],
    *,
    profiles: Sequence[str] = PROFILES,
    top_score: float | None = 1.0,
    replies: Mapping[str, str] | None = None,
) -> tuple[ProfileResult, ...]:
    """One result per payload profile; a handler that can't be loaded raises.

    `open_grader` makes a grader for a profile, best without retries.
    `top_score` None takes the highest score that any good reply earns under any profile.
    `replies` are good replies by row id, in place of the references' own phrasing.
    """
    rows = list(rows)
    samples = [sample for row in rows if (sample := answered(row, replies=replies)) is not None]
    graded = [grade_profile(open_grader, samples, profile=profile) for profile in profiles]
    top = highest(graded) if top_score is None else top_score
    skipped = len(rows) - len(samples)
    return tuple(found.result(top_score=top, skipped=skipped) for found in graded)


def answered(row: Record, *, replies: Mapping[str, str] | None = None) -> Sample | None:
    """The row with its good reply as the assistant's turn; None where no good reply is known."""
    reply = good_reply(row.reference_answer) if replies is None else replies.get(row.id)
    if reply is None:
        return None
    turn = {"role": "assistant", "content": reply}
    return Sample(row.id, [*row.messages, turn], row.reference_answer, row.extra)


@dataclass(frozen=True)
class ProfileGrades:
    """What the good replies earned under one profile."""

    profile: str
    outcomes: tuple[Grade | Broken, ...]
    seconds: float
    exact: bool
    wrapped: bool | None = None
    invocations: tuple[Invocation, ...] = ()
    """Those that were answered."""
    calls: int = 0
    """Events asked, answered or not."""

    def result(self, *, top_score: float, skipped: int) -> ProfileResult:
        """Judge them by a top score."""
        judged = (_failure(outcome, top_score) for outcome in self.outcomes)
        failures = [failure for failure in judged if failure is not None]
        return ProfileResult(
            profile=self.profile,
            graded=len(self.outcomes),
            passed=len(self.outcomes) - len(failures),
            skipped=skipped,
            failures=_by_kind(failures),
            seconds=self.seconds,
            exact=self.exact,
            wrapped=self.wrapped,
        )


def grade_profile(
    open_grader: Callable[[str], Grader],
    samples: Sequence[Sample],
    *,
    profile: str,
    wrapped: bool | None = None,
) -> ProfileGrades:
    """Grade good replies under one profile, in containers of its own."""
    started = time.perf_counter()
    with open_grader(profile) as grader:
        search = Halving(grader)
        outcomes = tuple(search.grade(samples))
    seconds = time.perf_counter() - started
    return ProfileGrades(
        profile=profile,
        outcomes=outcomes,
        seconds=seconds,
        exact=search.exact,
        wrapped=wrapped,
        invocations=tuple(search.invocations),
        calls=search.calls,
    )


def highest(graded: Iterable[ProfileGrades]) -> float:
    """The highest score of any good reply; 0 where none was graded."""
    outcomes = [outcome for found in graded for outcome in found.outcomes]
    return max((each.score for each in outcomes if isinstance(each, Grade)), default=0.0)


def _failure(outcome: Grade | Broken, top_score: float) -> tuple[Kind, str, str] | None:
    if isinstance(outcome, Broken):
        return outcome.kind, outcome.id, outcome.message
    if outcome.score <= 0:
        return "silent zero", outcome.id, f"score {outcome.score:g}, expected {top_score:g}"
    if outcome.score < top_score - ROUNDING:
        return "below the top score", outcome.id, f"score {outcome.score:g}, expected {top_score:g}"
    return None


def _by_kind(failures: Sequence[tuple[Kind, str, str]]) -> tuple[Failure, ...]:
    counts = Counter(kind for kind, _, _ in failures)
    first: dict[Kind, tuple[str, str]] = {}
    for kind, sample_id, detail in failures:
        first.setdefault(kind, (sample_id, detail))
    return tuple(Failure(kind, count, *first[kind]) for kind, count in counts.items())


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").replace("$", "").replace("%", ""))
    except ValueError:
        return False
    return True
