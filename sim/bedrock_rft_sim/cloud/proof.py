"""The proof of a deployed grader: it must grade a few answers exactly as the local one does.

Good and bad answers to the user's own rows, and the good ones' last word bare and in a box, which a
variable of the function may let count or not, travel as the two payload profiles that AWS's
documents name, since which one Bedrock sends is not known. A failure counts as a grade: where the
local handler fails, the deployed one must fail too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.contract.payload_profiles import PLACES
from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import CloudError, HandlerError, ResponseError
from bedrock_rft_sim.grader.event import encode_event
from bedrock_rft_sim.grader.good_replies import known_replies
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reply import read_reply
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, Sample, answered

ROWS: Final = 3
BAD: Final = "I do not know."
TOLERANCE: Final = 1e-9
"""Two machines may round the last digits otherwise."""
_SLACK_S: Final = 30.0
"""A cold start, beside the function's timeout."""

Outcome_S = tuple[Grade, ...] | str
"""What became of an event: a grade for each sample, or the failure in words."""


@dataclass(frozen=True)
class ProofCase:
    """One event and what the local grader made of it."""

    profile: str
    samples: tuple[Sample, ...]
    event: bytes
    here: Outcome_S


def proof_cases(
    reward: RewardFile, rows: Iterable[Row], replies: Mapping[str, str] | None
) -> tuple[ProofCase, ...]:
    """Grade answers to the first rows, good, doubtful and bad, under each documented profile.

    Raises:
        HandlerError: the handler can't be loaded.
    """
    samples = tuple(_samples(rows, replies))
    return tuple(
        _case(reward.once(profile, containers=1, samples_per_event=len(samples) or 1), samples)
        for profile, places in PLACES.items()
        if len(places) == 1
    )


def _samples(rows: Iterable[Row], replies: Mapping[str, str] | None) -> Iterable[Sample]:
    for row, reply in known_replies(rows, replies)[:ROWS]:
        value = "".join(reply.split()[-1:])
        answers = {"good": reply, "boxed": f"\\boxed{{{value}}}", "bare": value, "bad": BAD}
        for form, answer in answers.items():
            yield answered(row, answer, f"{row.id}#{form}")


def _case(reward: RewardFile, samples: tuple[Sample, ...]) -> ProofCase:
    with Grader(reward) as grader:
        event = encode_event(grader.event(samples))
        here: Outcome_S
        try:
            here = grader.grade(samples).grades if samples else ()
        except (HandlerError, ResponseError) as error:
            here = error.what
    return ProofCase(reward.profile, samples, event, here)


def prove(aws: Aws, function: str, cases: Iterable[ProofCase], *, timeout_s: float) -> None:
    """Invoke a function with every case and compare.

    Raises:
        CloudError: it grades otherwise; the message names the first sample that differs.
    """
    for case in cases:
        there = _invoked(aws, function, case, timeout_s=timeout_s)
        found = _difference(case, there)
        if found is not None:
            where, local, deployed = found
            raise CloudError(
                "the deployed grader grades otherwise than the local one; nothing was submitted",
                where=f"{function}, {case.profile} profile, {where}",
                expected=f"{local}, as graded here",
                found=aws.clean(deployed),
                hint="compare environment variables, runtime and version of the function with "
                "the recipe's local.reward and local.lambda",
            )


def _invoked(aws: Aws, function: str, case: ProofCase, *, timeout_s: float) -> Outcome_S:
    answer = aws.call(
        "lambda", "Invoke", read_s=timeout_s + _SLACK_S, FunctionName=function, Payload=case.event
    )
    body = aws.read(answer["Payload"])
    if answer.get("FunctionError"):
        return _failure(body)
    try:
        return read_reply(body, [sample.id for sample in case.samples]).grades
    except ResponseError as error:
        return error.what


def _failure(body: bytes) -> str:
    try:
        error: Any = json.loads(body)
    except ValueError:
        error = {}
    told = error if isinstance(error, dict) else {}
    return f"the handler failed: {told.get('errorType')}: {told.get('errorMessage')}"


def _difference(case: ProofCase, there: Outcome_S) -> tuple[str, str, str] | None:
    """Return the first sample that is graded otherwise, and both grades in words."""
    here = case.here
    if isinstance(here, str) or isinstance(there, str):
        if isinstance(here, str) and isinstance(there, str):
            return None
        return f"all {len(case.samples)} samples", _worded(here), _worded(there)
    for one, other in zip(here, there, strict=True):
        if not _equal(one, other):
            return f"sample {one.id!r}", _worded((one,)), _worded((other,))
    return None


def _equal(one: Grade, other: Grade) -> bool:
    mine = {(part.name, part.type): part.value for part in one.components}
    theirs = {(part.name, part.type): part.value for part in other.components}
    return abs(one.score - other.score) <= TOLERANCE and (
        mine.keys() == theirs.keys()
        and all(abs(mine[name] - theirs[name]) <= TOLERANCE for name in mine)
    )


def _worded(outcome: Outcome_S) -> str:
    if isinstance(outcome, str):
        return outcome
    return ", ".join(
        " ".join([f"score {grade.score:g}", *(f"{c.name} {c.value:g}" for c in grade.components)])
        for grade in outcome
    )
