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
from sim.grader.container import EXITED, TIMED_OUT
from sim.grader.grader import FaultError, Grader
from sim.grader.profiles import PROFILES, split
from sim.grader.records import Grade, Sample

Kind = Literal["raises", "silent zero", "below the top score", "bad response", "bad event"]
REFERENCE_KEYS = ("final_answer", "text", "answer", "ground_truth")
# Failed invocations that one profile may spend on finding the single samples that fail; a timeout
# spends them all, and a process that ends costs a cold start.
SEARCH_BUDGET = 128
COST = {TIMED_OUT: SEARCH_BUDGET, EXITED: 8}


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
    with open_grader(profile) as grader:
        search = _Search(grader, top_score=top_score)
        for event in split(samples, grader.limits.samples_per_event):
            search.check(event)
    return ProfileResult(
        profile=profile,
        graded=len(samples),
        passed=len(samples) - len(search.failures),
        skipped=skipped,
        failures=_by_kind(search.failures),
        seconds=time.perf_counter() - started,
        exact=search.exact,
    )


class _Search:
    """The samples that fail; one that breaks its whole event is looked for by halving."""

    def __init__(self, grader: Grader, *, top_score: float) -> None:
        self.failures: list[tuple[Kind, str, str]] = []
        self.exact = True
        self._grader = grader
        self._top_score = top_score
        self._budget = SEARCH_BUDGET

    def check(self, samples: Sequence[Sample]) -> None:
        """Grade one event, or its halves where it breaks."""
        try:
            grades = self._grader.grade(samples).grades
        except (HandlerError, ResponseError, EventError) as error:
            self._split_or_give_up(error, samples)
        else:
            self.failures += [
                (_kind_of_score(grade), grade.id, _scored(grade, self._top_score))
                for grade in grades
                if grade.score < self._top_score
            ]

    def _split_or_give_up(
        self, error: HandlerError | ResponseError | EventError, samples: Sequence[Sample]
    ) -> None:
        if isinstance(error, FaultError) and error.permanent:
            raise error
        self._budget -= COST.get(error.error_type, 1) if isinstance(error, FaultError) else 1
        if len(samples) > 1 and self._budget > 0:
            middle = len(samples) // 2
            self.check(samples[:middle])
            self.check(samples[middle:])
            return
        self.exact = self.exact and len(samples) == 1
        self.failures += [(_kind_of(error), sample.id, str(error)) for sample in samples]


def _scored(grade: Grade, top_score: float) -> str:
    return f"score {grade.score:g}, expected {top_score:g}"


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
