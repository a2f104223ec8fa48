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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader.fault_search import Broken, BrokenKind, FaultSearch
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, Sample, answered

Kind = Literal["silent zero", "below the top score"] | BrokenKind
REFERENCE_KEYS = ("final_answer", "text", "answer", "ground_truth")
ROUNDING = 1e-9  # scores this near the top are the top


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
    exact: bool
    wrapped: bool
    """Whether plain strings travelled as {"text": ...}."""

    @property
    def ok(self) -> bool:
        """Whether every good reply that was graded earned the top score."""
        return self.graded == self.passed and self.graded > 0

    @property
    def variant(self) -> str:
        """The profile, and that strings are wrapped where they are."""
        return f"{self.profile}, strings wrapped" if self.wrapped else self.profile


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


def boxed(reply: str) -> str | None:
    """A good reply with the value behind its last marker in a box; None where it has no marker."""
    before, marker, value = reply.rpartition("####")
    return f"{before}\\boxed{{{value.strip()}}}" if marker else None


def check_reward(
    reward: RewardFile,
    rows: Iterable[Row],
    *,
    profiles: Sequence[str] = PROFILES,
    top_score: float | None = 1.0,
    replies: Mapping[str, str] | None = None,
) -> tuple[ProfileResult, ...]:
    """One result per payload profile; a handler that can't be loaded raises.

    `top_score` None takes the highest score that any good reply earns under any profile.
    `replies` are good replies by row id, in place of the references' own phrasing.
    """
    rows = list(rows)
    samples = [answered(row, reply, row.id) for row, reply in known_replies(rows, replies)]
    graded = [grade_profile(reward.once(profile), samples) for profile in profiles]
    top = highest(graded) if top_score is None else top_score
    skipped = len(rows) - len(samples)
    return tuple(found.result(top_score=top, skipped=skipped) for found in graded)


def known_replies(
    rows: Iterable[Row], replies: Mapping[str, str] | None = None
) -> list[tuple[Row, str]]:
    """The rows whose good reply is known, with it."""
    found = (
        (row, good_reply(row.reference_answer) if replies is None else replies.get(row.id))
        for row in rows
    )
    return [(row, reply) for row, reply in found if reply is not None]


@dataclass(frozen=True)
class ProfileGrades:
    """What the good replies earned under one profile."""

    reward: RewardFile
    outcomes: Sequence[Grade | Broken]
    search: FaultSearch
    """What it took to grade them."""
    seconds: float

    def result(self, *, top_score: float, skipped: int) -> ProfileResult:
        """Judge them by a top score."""
        judged = (_failure(outcome, top_score) for outcome in self.outcomes)
        failures = [failure for failure in judged if failure is not None]
        return ProfileResult(
            profile=self.reward.profile,
            graded=len(self.outcomes),
            passed=len(self.outcomes) - len(failures),
            skipped=skipped,
            failures=_by_kind(failures),
            seconds=self.seconds,
            exact=self.search.exact,
            wrapped=self.reward.wrap,
        )


def grade_profile(reward: RewardFile, samples: Sequence[Sample]) -> ProfileGrades:
    """Grade good replies under the reward's profile, in containers of its own."""
    started = time.perf_counter()
    with Grader(reward) as grader:
        search = FaultSearch(grader)
        outcomes = search.grade(samples)
    return ProfileGrades(reward, outcomes, search, time.perf_counter() - started)


def highest(graded: Iterable[ProfileGrades]) -> float:
    """The highest score of any good reply; 0 where none was graded."""
    outcomes = [outcome for found in graded for outcome in found.outcomes]
    return max((each.score for each in outcomes if isinstance(each, Grade)), default=0.0)


def _failure(outcome: Grade | Broken, top_score: float) -> tuple[Kind, str, str] | None:
    if isinstance(outcome, Broken):
        return outcome.kind, outcome.id, outcome.message
    if 0 < outcome.score >= top_score - ROUNDING:
        return None
    kind: Kind = "silent zero" if outcome.score <= 0 else "below the top score"
    expected = f"{top_score:g}" if top_score > 0 else "more than 0, which no good reply earned"
    return kind, outcome.id, f"score {outcome.score:g}, expected {expected}"


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
