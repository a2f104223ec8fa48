"""Are the scores a function of the sample alone? The same samples again, shuffled, and re-split.

Right and wrong answers are mixed, because only then do results that carry each other's id show.
A difference is shrunk to one sample or to a pair where one reproduces it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

from bedrock_rft_sim.grader.audit.bench import Bench
from bedrock_rft_sim.grader.audit.findings import Finding
from bedrock_rft_sim.grader.audit.subjects import Subject
from bedrock_rft_sim.grader.gold import ROUNDING
from bedrock_rft_sim.grader.profiles import split
from bedrock_rft_sim.grader.records import Sample

SAMPLES = 16
PARTS = 4
PAIRS_MAX = 40  # tried before the whole event is shown
Scores = Mapping[str, float]


def bag_size(rows: int | None) -> int:
    """Samples in the bag: 16, or fewer where few rows were asked for; always four equal parts."""
    return SAMPLES if rows is None else min(SAMPLES, PARTS * -(-2 * rows // PARTS))


def mixed_bag(subjects: Sequence[Subject], size: int) -> list[Sample]:
    """Right and wrong answers in turns; rows come again where there are few."""
    bag: list[Sample] = []
    for index in range(size if subjects else 0):
        subject = subjects[index % len(subjects)]
        again = index // len(subjects)
        is_right = (index + again) % 2 == 0 or subject.wrong is None
        text = subject.good if is_right else str(subject.wrong)
        bag.append(subject.answer(text, kind=str(again) if again else ""))
    return bag


def check_determinism(
    bench: Bench, bag: Sequence[Sample], *, alone: Callable[[], Scores], seed: int
) -> list[Finding]:
    """Findings for `repeat`, `order` and `batch`; the last two only of a reward that repeats.

    `alone` grades each sample of the bag in an event of its own.
    """
    whole = bench.scores(bag)
    changed = differing(whole, again := bench.scores(bag))
    if changed:
        return [_not_repeatable(bench, bag, changed, whole, again)]
    shuffled = list(bag)
    random.Random(f"order:{seed}").shuffle(shuffled)  # noqa: S311 - reproducible, not secret
    reordered = bench.scores(shuffled)
    parts: dict[str, float] = {}
    for part in split(bag, len(bag) // PARTS):
        parts |= bench.scores(part)
    ones = alone()
    findings = []
    if moved := differing(whole, reordered):
        findings.append(_depends_on_order(bench, bag, moved, whole, reordered))
    if moved := (differing(whole, ones) or differing(whole, parts)):
        other = ones if differing(whole, ones) else parts
        findings.append(_depends_on_batch(bench, bag, moved, whole, other))
    return findings


def differing(first: Scores, second: Scores) -> list[str]:
    """The ids of the samples that were graded both times, and differently."""
    return [key for key in first if key in second and abs(first[key] - second[key]) > ROUNDING]


def _not_repeatable(
    bench: Bench, bag: Sequence[Sample], changed: Sequence[str], first: Scores, second: Scores
) -> Finding:
    sample = next(each for each in bag if each.id == changed[0])
    alone = {score for _ in range(PARTS) for score in bench.scores([sample]).values()}
    evidence = [sample] if len(alone) > 1 else list(bag)
    what = (
        f"{len(changed)} of {len(bag)} samples earn another score when the same event is sent "
        f"again: {sample.id} {first[sample.id]:g}, then {second[sample.id]:g}"
    )
    return bench.finding("repeat", "error", what, evidence)


def _depends_on_order(
    bench: Bench, bag: Sequence[Sample], moved: Sequence[str], first: Scores, second: Scores
) -> Finding:
    for left, right in _pairs(bag, moved):
        one, other = bench.scores([left, right]), bench.scores([right, left])
        if found := differing(one, other):
            what = (
                f"{len(moved)} of {len(bag)} samples earn another score in another order: in the "
                f"pair shown {found[0]} earns {one[found[0]]:g}, swapped {other[found[0]]:g}"
            )
            return bench.finding("order", "error", what, [left, right])
    name = moved[0]
    what = (
        f"{len(moved)} of {len(bag)} samples earn another score in another order: {name} "
        f"{first[name]:g}, then {second[name]:g}"
    )
    return bench.finding("order", "error", what, bag)


def _depends_on_batch(
    bench: Bench, bag: Sequence[Sample], moved: Sequence[str], whole: Scores, parts: Scores
) -> Finding:
    for pair in _pairs(bag, moved):
        alone = {key: score for one in pair for key, score in bench.scores([one]).items()}
        together = bench.scores(pair)
        if found := differing(alone, together):
            what = _pair_differs(pair, alone, together, found)
            return bench.finding("batch", "error", what, pair)
    name = moved[0]
    what = (
        f"{len(moved)} of {len(bag)} samples earn another score when the event is cut into smaller "
        f"ones: {name} {whole[name]:g}, then {parts[name]:g}"
    )
    return bench.finding("batch", "error", what, bag)


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
    place = {sample.id: index for index, sample in enumerate(bag)}
    pairs = [
        [left, right]
        for left, right in permutations(bag, 2)
        if left.id in moved or right.id in moved
    ]
    pairs.sort(key=lambda pair: abs(place[pair[0].id] - place[pair[1].id]))
    return pairs[:PAIRS_MAX]
