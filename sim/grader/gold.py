"""Does the reward reward a right answer? Grades every reference, phrased as a good reply.

Each payload profile is tried with containers of its own, because a handler that reads the reference
from another place than the service sends it either raises or scores everything 0, silently.
The phrasing is a guess at what a good reply looks like: a reward that wants another form should be
tested with replies of that form.
It looks for nothing else: hackability, determinism and spread are other checks.

Source: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (reference answers must
earn the maximum score).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sim.errors import EventError, HandlerError, ResponseError
from sim.grader.grader import FaultError, Grader
from sim.grader.profiles import PROFILES, split
from sim.grader.records import Grade, Sample

Kind = Literal["raises", "silent zero", "below the top score", "bad response", "bad event"]
REFERENCE_KEYS = ("final_answer", "text", "answer", "ground_truth")
SEARCH_S = 0.2  # how long one profile may look for the single samples that fail


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
    Where a slow handler breaks whole events, their samples are counted together: `exact` is false.
    """

    profile: str
    graded: int
    passed: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float
    exact: bool = True

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
    top_score: float = 1.0,
) -> tuple[ProfileResult, ...]:
    """One result per payload profile; a handler that can't be loaded raises.

    `open_grader` makes a grader for a profile, best without retries.
    """
    rows = list(rows)
    samples = [sample for row in rows if (sample := _answered(row)) is not None]
    skipped = len(rows) - len(samples)
    return tuple(
        _check_profile(open_grader, samples, profile=profile, skipped=skipped, top_score=top_score)
        for profile in profiles
    )


def _answered(row: Record) -> Sample | None:
    reply = good_reply(row.reference_answer)
    if reply is None:
        return None
    turn = {"role": "assistant", "content": reply}
    return Sample(row.id, [*row.messages, turn], row.reference_answer, row.extra)


def _check_profile(
    open_grader: Callable[[str], Grader],
    samples: Sequence[Sample],
    *,
    profile: str,
    skipped: int,
    top_score: float,
) -> ProfileResult:
    started = time.perf_counter()
    until = started + SEARCH_S
    failures: list[tuple[Kind, str, str]] = []
    with open_grader(profile) as grader:
        for event in split(samples, grader.limits.samples_per_event):
            failures += _check_event(grader, event, top_score=top_score, until=until)
    seconds = time.perf_counter() - started
    return ProfileResult(
        profile=profile,
        graded=len(samples),
        passed=len(samples) - len(failures),
        skipped=skipped,
        failures=_by_kind(failures),
        seconds=seconds,
        exact=seconds < SEARCH_S or not failures,
    )


def _check_event(
    grader: Grader, samples: Sequence[Sample], *, top_score: float, until: float
) -> list[tuple[Kind, str, str]]:
    """The samples of one event that failed; one that breaks the event is looked for by halving."""
    kind: Kind
    try:
        grades = grader.grade(samples).grades
    except (HandlerError, ResponseError, EventError) as error:
        if isinstance(error, FaultError) and error.permanent:
            raise
        if len(samples) > 1 and time.perf_counter() < until:
            middle = len(samples) // 2
            halves = (samples[:middle], samples[middle:])
            return [
                failure
                for half in halves
                for failure in _check_event(grader, half, top_score=top_score, until=until)
            ]
        kind = _kind_of(error)
        return [(kind, sample.id, str(error)) for sample in samples]
    return [
        (_kind_of_score(grade), grade.id, f"score {grade.score:g}, expected {top_score:g}")
        for grade in grades
        if grade.score < top_score
    ]


def _kind_of(error: HandlerError | ResponseError | EventError) -> Kind:
    if isinstance(error, HandlerError):
        return "raises"
    return "bad response" if isinstance(error, ResponseError) else "bad event"


def _kind_of_score(grade: Grade) -> Kind:
    return "silent zero" if grade.score <= 0 else "below the top score"


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
