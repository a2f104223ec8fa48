"""Are the scores a function of the sample alone? The same samples again, shuffled, and re-split.

Right and wrong answers are mixed, because only then do results that carry each other's id show.
A difference is shrunk to one sample or to a pair where one reproduces it.
What differs between warm containers is module state and whatever Python seeds per process: each
sample is graded in every one of four.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader
from bedrock_rft_sim.grader.audit.audited_rows import AuditedRow
from bedrock_rft_sim.grader.audit.checks import AuditFinding
from bedrock_rft_sim.grader.event import split
from bedrock_rft_sim.grader.good_replies import ROUNDING
from bedrock_rft_sim.grader.samples import Sample

SAMPLES = 16
PARTS = 4
PAIRS_MAX = 40  # tried before the whole event is shown
CONTAINERS = 4
Scores = Mapping[str, float]
Grading = Callable[[Sequence[Sample]], Scores]


def bag_size(rows: int | None) -> int:
    """Samples in the bag: 16, or fewer where few rows are wanted; always four equal parts."""
    return SAMPLES if rows is None else min(SAMPLES, PARTS * -(-2 * rows // PARTS))


def mixed_bag(rows: Sequence[AuditedRow], size: int) -> list[Sample]:
    """Right and wrong answers in turns; rows come again where there are few."""
    bag: list[Sample] = []
    for index in range(size if rows else 0):
        again, place = divmod(index, len(rows))
        row = rows[place]
        is_right = (index + again) % 2 == 0 or row.wrong is None
        text = row.good if is_right else str(row.wrong)
        bag.append(row.answer(text, kind=str(again) if again else ""))
    return bag


def check_determinism(
    audited: AuditedGrader, bag: Sequence[Sample], *, alone: Grading, seed: int
) -> list[AuditFinding]:
    """Findings for `repeat`, `order` and `batch`; the last two only of a reward that repeats.

    `alone` grades each sample in an event of its own.
    """
    whole = audited.scores(bag)
    if changed := differing(whole, again := audited.scores(bag)):
        return [_not_repeatable(audited, bag, changed, whole, again)]
    shuffled = list(bag)
    random.Random(f"order:{seed}").shuffle(shuffled)  # noqa: S311 - reproducible, not secret
    reordered = audited.scores(shuffled)
    parts: dict[str, float] = {}
    for part in split(bag, len(bag) // PARTS):
        parts |= audited.scores(part)
    ones = alone(bag)
    findings = []
    if differing(whole, reordered):
        findings.append(_depends_on_order(audited, bag, whole, reordered))
    if differing(whole, ones) or differing(whole, parts):
        other = ones if differing(whole, ones) else parts
        findings.append(_depends_on_batch(audited, bag, whole, other))
    return findings


def check_containers(
    one: AuditedGrader, four: AuditedGrader, bag: Sequence[Sample]
) -> list[AuditFinding]:
    """Grade with one container and in turn with each of four, which must be fresh.

    `four` cuts the bag into as many events as it has containers, so that turning the bag by one
    event moves every sample to the next container.
    """
    expected = one.scores(bag)
    step = four.grader.limits.samples_per_event
    for turn in range(CONTAINERS):
        start = turn * step % len(bag)
        found = four.scores([*bag[start:], *bag[:start]])
        if moved := differing(expected, found):
            what = _moved(bag, expected, found, "in another warm container")
            return [one.finding("containers", "error", what, _named(bag, moved[0]))]
    return []


def differing(first: Scores, second: Scores) -> list[str]:
    """The ids of the samples that were graded both times, and differently."""
    return [key for key in first if key in second and abs(first[key] - second[key]) > ROUNDING]


def _moved(bag: Sequence[Sample], first: Scores, second: Scores, when: str) -> str:
    moved = differing(first, second)
    name = moved[0]
    return (
        f"{len(moved)} of {len(bag)} samples earn another score {when}: "
        f"{name} {first[name]:g}, then {second[name]:g}"
    )


def _named(bag: Sequence[Sample], name: str) -> list[Sample]:
    return [sample for sample in bag if sample.id == name]


def _not_repeatable(
    audited: AuditedGrader,
    bag: Sequence[Sample],
    changed: Sequence[str],
    first: Scores,
    again: Scores,
) -> AuditFinding:
    sample = _named(bag, changed[0])
    alone = {score for _ in range(PARTS) for score in audited.scores(sample).values()}
    what = _moved(bag, first, again, "when the same event is sent again")
    return audited.finding("repeat", "error", what, sample if len(alone) > 1 else bag)


def _depends_on_order(
    audited: AuditedGrader, bag: Sequence[Sample], first: Scores, second: Scores
) -> AuditFinding:
    moved = differing(first, second)
    for left, right in _pairs(bag, moved):
        one, other = audited.scores([left, right]), audited.scores([right, left])
        if found := differing(one, other):
            what = (
                f"{len(moved)} of {len(bag)} samples earn another score in another order: in the "
                f"pair shown {found[0]} earns {one[found[0]]:g}, swapped {other[found[0]]:g}"
            )
            return audited.finding("order", "error", what, [left, right])
    return audited.finding("order", "error", _moved(bag, first, second, "in another order"), bag)


def _depends_on_batch(
    audited: AuditedGrader, bag: Sequence[Sample], whole: Scores, parts: Scores
) -> AuditFinding:
    for pair in _pairs(bag, differing(whole, parts)):
        alone = {key: score for one in pair for key, score in audited.scores([one]).items()}
        together = audited.scores(pair)
        if found := differing(alone, together):
            what = _pair_differs(pair, alone, together, found)
            return audited.finding("batch", "error", what, pair)
    what = _moved(bag, whole, parts, "when the event is cut into smaller ones")
    return audited.finding("batch", "error", what, bag)


def _pair_differs(
    pair: Sequence[Sample], alone: Scores, together: Scores, found: Sequence[str]
) -> str:
    left, right = pair[0].id, pair[1].id
    swapped = together.get(left) == alone.get(right) and together.get(right) == alone.get(left)
    if swapped and len(found) == len(pair):
        return (
            f"results carry each other's id: alone {left} earns {alone[left]:g} and {right} "
            f"{alone[right]:g}, in one event it is the other way round"
        )
    name = found[0]
    return (
        f"a score depends on the other samples of its event: {name} earns {alone[name]:g} alone "
        f"and {together[name]:g} in the pair shown"
    )


def _pairs(bag: Sequence[Sample], moved: Sequence[str]) -> list[list[Sample]]:
    """Pairs that hold a sample whose score moved, nearest neighbours first."""
    pairs = [
        (abs(i - j), [bag[i], bag[j]])
        for i, j in permutations(range(len(bag)), 2)
        if bag[i].id in moved or bag[j].id in moved
    ]
    pairs.sort(key=lambda pair: pair[0])
    return [pair for _, pair in pairs[:PAIRS_MAX]]
