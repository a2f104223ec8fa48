"""The floor of a reward: the best mean score of the strategies that never see the reference.

A policy that earns no more has learned nothing that a few lines of script do not know.
The best of many strategies on few rows is by luck somewhat above what it earns on many.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest
from statistics import fmean
from typing import Final

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader.audit.adversary import blind_answers
from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader
from bedrock_rft_sim.grader.audit.audited_rows import answer_row, turn_text
from bedrock_rft_sim.grader.audit.checks import AuditFinding
from bedrock_rft_sim.grader.audit.grade_wrong import broken_answers
from bedrock_rft_sim.grader.audit.plan import AuditSettings
from bedrock_rft_sim.grader.good_replies import known_replies
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, Sample
from bedrock_rft_sim.stats.shares import percent

FLOOR_SHARE: Final = 0.5
"""Assumed: of the top score; above it half of what can be earned needs no learning."""
FLOOR_ROWS_MIN: Final = 8
"""On fewer rows one of many strategies is soon right by luck, so the floor is told and not judged.
"""
TIMED: Final = 8
"""Answers by which it is told how long all would take."""
STRATEGIES_FEW: Final = 16
"""Where rows are limited because the reward is slow or paid: about as many as kinds of bad answers.
"""


@dataclass(frozen=True)
class Floor:
    """The best of the strategies."""

    score: float
    """Its mean over the rows, on the reward's own scale."""
    strategy: str
    strategies: int
    """How many were compared."""
    rows: int


@dataclass(frozen=True)
class BlindSamples:
    """What the strategies answer: every different answer to a row once."""

    samples: tuple[Sample, ...]
    by_strategy: Mapping[str, tuple[Sample, ...]]
    """One per row."""
    rows: int


def draw_blind(
    known: Sequence[Row], every: Sequence[Row], count: int, *, is_few: bool, seed: int
) -> BlindSamples:
    """Let the strategies answer at most `count` of the known rows, drawn by seed.

    The most frequent references are those of `every` row. `is_few` keeps few strategies, of each
    family the first ones.
    """
    rng = random.Random(f"floor:{seed}")  # noqa: S311 - reproducible, not secret
    rows = list(known) if len(known) <= count else rng.sample(list(known), count)
    prompts = ["\n".join(map(turn_text, row.messages)) for row in rows]
    answers = blind_answers(prompts, [row.reference_answer for row in every])
    names = _few(list(answers)) if is_few else list(answers)
    found: dict[tuple[str, str], Sample] = {}
    for row, *texts in zip(rows, *(answers[name] for name in names), strict=True):
        for text in texts:
            sample = answer_row(row, text, kind=f"floor-{len(found)}")
            found.setdefault((row.id, text), sample)
    by_strategy = {
        name: tuple(found[row.id, text] for row, text in zip(rows, answers[name], strict=True))
        for name in names
    }
    return BlindSamples(tuple(found.values()), by_strategy, len(rows))


def measure_floor(
    audited: AuditedGrader, blind: BlindSamples, *, top: float
) -> tuple[Floor | None, list[AuditFinding]]:
    """Grade them; a strategy counts where each of its answers was graded, None where none was."""
    outcomes = audited.grade(blind.samples)
    findings = [*broken_answers(audited, "floor", blind.samples, outcomes)]
    scores = {name: each.score for name, each in outcomes.items() if isinstance(each, Grade)}
    means = {
        name: fmean(scores[sample.id] for sample in samples)
        for name, samples in blind.by_strategy.items()
        if all(sample.id in scores for sample in samples)
    }
    if not means:
        return None, findings
    best = max(means, key=lambda name: means[name])
    floor = Floor(means[best], best, len(means), blind.rows)
    if floor.rows >= FLOOR_ROWS_MIN and floor.score > FLOOR_SHARE * top:
        what = (
            f"{best} earns {floor.score:.2f} on average over {floor.rows} rows, "
            f"{percent(floor.score / top)} of the top score ({top:g})"
        )
        paid = _smallest(blind.by_strategy[best], scores)
        findings.append(audited.finding("floor", "warning", what, [paid]))
    return floor, findings


def floor_within(
    reward: RewardFile, rows: Sequence[Row], *, seed: int, seconds: float
) -> Floor | None:
    """Measure the floor as the audit does, by few strategies where all would take longer.

    None where even these would, or none was graded on every row. How long it takes is told from a
    few answers; one that takes all of the time breaks off as at a timeout.
    """
    known = [row for row, _ in known_replies(rows)]
    limits = replace(reward.limits, timeout_s=min(reward.limits.timeout_s, seconds))
    with Grader(replace(reward, limits=limits).once(containers=1)) as grader:
        audited = AuditedGrader(grader)
        for is_few in (False, True):
            blind = draw_blind(known, rows, AuditSettings().samples, is_few=is_few, seed=seed)
            if not audited.calls:
                audited.grade(blind.samples[:TIMED])
            took = sum(call.duration_s for call in audited.invocations) / TIMED
            if audited.hangs or not audited.invocations or not blind.samples:
                return None
            if took * len(blind.samples) <= seconds:
                return measure_floor(audited, blind, top=math.inf)[0]
    return None


def _few(names: Sequence[str]) -> list[str]:
    """The first names of each family in turn."""
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.partition(":")[0], []).append(name)
    in_turn = chain.from_iterable(zip_longest(*families.values()))
    return list(islice((name for name in in_turn if name is not None), STRATEGIES_FEW))


def _smallest(samples: Sequence[Sample], scores: Mapping[str, float]) -> Sample:
    """The shortest of those that earned the most."""
    most = max(scores[sample.id] for sample in samples)
    paid = [sample for sample in samples if scores[sample.id] == most]
    return min(paid, key=lambda sample: sum(len(turn_text(turn)) for turn in sample.messages))
