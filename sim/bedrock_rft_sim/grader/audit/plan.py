"""How much the audit will grade, counted before it starts: a judge behind the reward costs money.

The numbers are upper bounds for a reward that does not fail; looking for the sample at fault takes
more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bedrock_rft_sim.grader.audit.cost import ALONE_AGAIN
from bedrock_rft_sim.grader.audit.determinism import CONTAINERS, PARTS, bag_size
from bedrock_rft_sim.grader.audit.wrong_answers import WRONG_ANSWERS


@dataclass(frozen=True)
class AuditSettings:
    """How hard to look."""

    seed: int = 0
    rows: int | None = None
    """Rows whose good reply is graded, drawn by seed; None is all of them."""
    samples: int = 32
    """Rows whose wrong and adversarial answers are graded, and on which the floor is measured."""

    @property
    def subjects(self) -> int:
        """As `samples`, but no more than rows are asked for."""
        return self.samples if self.rows is None else min(self.samples, self.rows)


@dataclass(frozen=True)
class AuditPlan:
    """What will be graded, and in how many events."""

    seed: int
    rows_in_file: int
    rows_phrased: int
    """Rows whose good reply is known."""
    rows: int
    """Of those, the rows whose good reply is graded under each variant."""
    variants: int
    """Payload profiles, twice where plain strings may travel wrapped."""
    subjects: int
    """Rows whose wrong and adversarial answers are graded."""
    bag: int
    """Answers graded again and again, to see whether they always score the same."""
    saved: int
    blind: int
    """Answers of the strategies that never see the reference."""
    answers: int
    invocations: int
    samples_per_event: int

    def __str__(self) -> str:
        """One sentence, for before the grading starts."""
        return (
            f"at most {self.answers:,} answers in {self.invocations:,} invocations, "
            "more for retries, and to find the samples on which the reward fails: "
            f"{self.rows:,} of {self.rows_phrased:,} good replies under {self.variants} payload "
            f"variants, {len(WRONG_ANSWERS)} kinds of bad answers on {self.subjects} rows, "
            f"{self.blind:,} answers for the floor (seed {self.seed})"
        )


def make_plan(
    settings: AuditSettings,
    *,
    rows_in_file: int,
    rows_phrased: int,
    variants: int,
    saved: int,
    blind: int,
    samples_per_event: int,
) -> AuditPlan:
    """Count before grading."""
    rows = rows_phrased if settings.rows is None else min(settings.rows, rows_phrased)
    subjects = min(settings.subjects, rows)
    kinds = len(WRONG_ANSWERS)
    bag, whole = bag_size(settings.rows), 3
    determinism = (bag * (whole + 2) + ALONE_AGAIN, whole + PARTS + bag + ALONE_AGAIN)
    containers = (bag * (1 + CONTAINERS), 1 + CONTAINERS * PARTS)
    several = [(rows, variants), (subjects, kinds), (saved, 1), (blind, 1)]
    return AuditPlan(
        seed=settings.seed,
        rows_in_file=rows_in_file,
        rows_phrased=rows_phrased,
        rows=rows,
        variants=variants,
        subjects=subjects,
        bag=bag,
        saved=saved,
        blind=blind,
        answers=sum(count * times for count, times in several) + determinism[0] + containers[0],
        invocations=sum(math.ceil(count / samples_per_event) * times for count, times in several)
        + determinism[1]
        + containers[1],
        samples_per_event=samples_per_event,
    )
