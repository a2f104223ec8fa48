"""One sampled answer and its grade, and the advantages of a group of them.

It does not sample, grade or train, and it knows no file: it turns a record into one line of JSON
and back. Axis suffixes: `_P` prompts, `_G` samples in a prompt's group, `_T` response tokens.

Sources: verl, `compute_grpo_outcome_advantage` (group-normalised advantages with the unbiased
standard deviation).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs.shapes import ROLLOUT, misfit

ADVANTAGE_EPSILON = 1e-6
"""verl adds this to the group's standard deviation before it divides."""

STOP_REASONS = ("stop", "length")
"""`length` means the answer was cut at inferenceMaxTokens."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer to one prompt, as sampled before the step's update."""

    step: int
    """1-based training step; for a validation rollout, the last step before it (0 at the start)."""
    prompt_id: str
    """The data row's id; all samples of one group share it."""
    sample: int
    """0-based place in the group."""
    text: str
    """What the grader saw as the assistant turn."""
    tokens: list[int]
    """Response token ids, with the end token where there is one."""
    stop_reason: str
    """`stop` or `length`."""
    grade: float
    """The handler's aggregate_reward_score."""
    components: list[dict[str, Any]]
    """The handler's metrics_list: name, value, type."""
    advantage: float | None
    """Group-normalised grade; every token of the answer carries it; None in validation."""
    entropy: float | None = None
    """Mean entropy over its tokens, nats, of the sampling policy; None where not measured."""
    logprob: float | None = None
    """Summed log-probability of its tokens, nats, under the sampling policy; None if unknown."""
    kl: float | None = None
    """Mean k3 estimate, over its tokens, of the divergence from the reference model, nats."""
    also_graded: Mapping[str, float] | None = None
    """Grades by rewards that are not trained on, by name; one that gave none is absent."""


_FIELDS = dataclasses.fields(Rollout)
_FIELD_NAMES = tuple(field.name for field in _FIELDS)
_REQUIRED = tuple(field.name for field in _FIELDS if field.default is dataclasses.MISSING)


def group_advantages(rewards_P_G: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return verl's GRPO advantage for every reward, in the same shape."""
    return [_advantages(rewards_G) for rewards_G in rewards_P_G]


def _advantages(rewards_G: Sequence[float]) -> list[float]:
    if len(rewards_G) == 1:  # verl: mean 0, standard deviation 1
        return [float(rewards_G[0])]
    if all(reward == rewards_G[0] for reward in rewards_G):
        return [0.0] * len(rewards_G)  # a rounded mean would leave dust that 1e-6 magnifies
    # Dividing before adding, and hypot, keep enormous grades from overflowing on the way.
    mean = math.fsum(reward / len(rewards_G) for reward in rewards_G)
    centred_G = [reward - mean for reward in rewards_G]
    deviation = math.hypot(*centred_G) / math.sqrt(len(rewards_G) - 1)
    return [centred / (deviation + ADVANTAGE_EPSILON) for centred in centred_G]


def groups(rollouts: Iterable[Rollout]) -> list[list[Rollout]]:
    """Return the rollouts of each prompt together, in order of first appearance.

    A prompt that comes twice in one step (a set smaller than the batch) starts a second group when
    its sample number starts again.
    """
    found: list[list[Rollout]] = []
    open_group: dict[str, list[Rollout]] = {}
    for rollout in rollouts:
        group = open_group.get(rollout.prompt_id)
        if group is None or any(rollout.sample == other.sample for other in group):
            group = open_group[rollout.prompt_id] = []
            found.append(group)
        group.append(rollout)
    return found


def to_line(rollout: Rollout) -> str:
    """Return the rollout as one line of JSON, without the newline."""
    # ASCII escapes keep lone surrogates and line separators inside one decodable line.
    # Not asdict: it copies every token one by one, which takes longer than all the rest.
    record = {name: getattr(rollout, name) for name in _FIELD_NAMES}
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def from_line(line: str, *, where: str = "rollouts") -> Rollout:
    """Return the rollout that `to_line` wrote; unknown keys of a later version are ignored."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError("not a JSON line", where=where, found=str(error)) from error
    if not isinstance(record, dict):
        raise DataError("not a rollout", where=where, expected="an object", found=repr(record)[:80])
    missing = [n for n in _REQUIRED if record.get(n) is None and n != "advantage"]
    if missing or "advantage" not in record:
        expected = ", ".join(missing or ["advantage"])
        raise DataError("a rollout lacks keys", where=where, expected=expected)
    found = misfit(record, ROLLOUT)
    if found is not None:
        raise DataError("not a rollout", where=where, expected="the keys' own types", found=found)
    return Rollout(**{name: record[name] for name in _FIELD_NAMES if name in record})
