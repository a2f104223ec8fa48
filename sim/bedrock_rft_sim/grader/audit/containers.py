"""Do several warm containers agree? Each sample is graded in every one of four.

What differs between containers is module state and whatever Python seeds per process.
"""

from __future__ import annotations

from collections.abc import Sequence

from bedrock_rft_sim.grader.audit.bench import Bench
from bedrock_rft_sim.grader.audit.determinism import differing
from bedrock_rft_sim.grader.audit.findings import Finding
from bedrock_rft_sim.grader.records import Sample

CONTAINERS = 4


def check_containers(one: Bench, four: Bench, bag: Sequence[Sample]) -> list[Finding]:
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
            name = moved[0]
            sample = next(each for each in bag if each.id == name)
            what = (
                f"{len(moved)} of {len(bag)} samples earn another score in another warm container: "
                f"{name} {expected[name]:g}, then {found[name]:g}"
            )
            return [one.finding("containers", "error", what, [sample])]
    return []
