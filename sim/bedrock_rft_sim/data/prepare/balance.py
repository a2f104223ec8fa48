"""Take rows away until the classes stand as they should, and say what was lost.

Nothing is written twice to make a class larger: repeated prompts give a policy nothing new. To have
more of a class, `augment` it.
Which rows of a class stay is decided by a hash of seed and id, so that adding rows elsewhere in the
file changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data.prepare.features import Label, label_of, label_text, profile
from bedrock_rft_sim.data.prepare.lineage import name_of
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import DataRow, digest, read
from bedrock_rft_sim.errors import DataError

Counts = Mapping[Label, int]


@dataclass(frozen=True, slots=True)
class Balance:
    """How many rows of each class there were and how many stay."""

    before: dict[Label, int]
    after: dict[Label, int]

    def as_json(self) -> list[dict[str, Any]]:
        """Return a row for each class, the largest first."""
        return [
            {"class": list(label), "before": count, "after": self.after.get(label, 0)}
            for label, count in self.before.items()
        ]


def capped(counts: Counts, limit: int) -> dict[Label, int]:
    """Return at most that many rows of each class."""
    return {label: min(count, limit) for label, count in counts.items()}


def down_sampled(counts: Counts) -> dict[Label, int]:
    """Return as many rows of each class as the smallest has."""
    return capped(counts, min(counts.values(), default=0))


def weighted(counts: Counts, target: Mapping[Label, float]) -> dict[Label, int]:
    """Return the largest number of rows whose classes stand in the proportions of the target.

    Raises:
        DataError: the target names a class that has no row, or no share above 0.
    """
    shares = {label: Fraction(str(share)) for label, share in target.items() if share > 0}
    unknown = [label_text(label) for label in target if label not in counts]
    if unknown or not shares:
        raise DataError(
            "the target can't be met",
            expected=f"shares above 0 of the classes {', '.join(map(label_text, counts))}",
            found=f"no row of {', '.join(unknown)}" if unknown else "no share above 0",
            hint="name classes as the profile shows them",
        )
    total = min(counts[label] / share for label, share in shares.items())
    return {label: int(total * shares.get(label, 0)) for label in counts}


def chosen(
    rows: Iterable[DataRow], quota: Mapping[Label, int], *, by: Sequence[str], seed: int
) -> frozenset[int]:
    """Return the lines of the rows that stay."""
    ranked: dict[Label, list[tuple[bytes, int]]] = {}
    for row in rows:
        rank = digest(f"{seed}:{name_of(row)}")
        ranked.setdefault(label_of(row.record, by), []).append((rank, row.line))
    return frozenset(
        line
        for label, places in ranked.items()
        for _, line in heapq.nsmallest(quota.get(label, 0), places)
    )


def balanced(
    rows: Iterable[DataRow], lines: frozenset[int], *, by: Sequence[str]
) -> Iterator[tuple[DataRow, str | None]]:
    """Yield each row with why it is left out; None where it stays."""
    for row in rows:
        why = (
            None
            if row.line in lines
            else f"too many of class {label_text(label_of(row.record, by))}"
        )
        yield row, why


def balance_file(
    source: Path,
    out: Path,
    *,
    by: Sequence[str],
    quota_of: Callable[[Counts], dict[Label, int]],
    parameters: Mapping[str, Any],
    seed: int,
    force: bool = False,
) -> tuple[DataOutput, Balance]:
    """Write the rows that stay; before and after are in the notes.

    Raises:
        DataError: the file can't be read or written, a key is not there, a target can't be met.
    """
    with DataOutput(
        out,
        operation="balance",
        parameters={"by": list(by), **parameters},
        sources=[source],
        seed=seed,
        force=force,
    ) as output:
        before = profile(read(source), by)
        after = quota_of(before)
        lines = chosen(read(source), after, by=by, seed=seed)
        for row, why in balanced(output.counted(read(source)), lines, by=by):
            if why is None:
                output.write(row.record)
            else:
                output.drop(row, why)
        balance = Balance(before, after)
        output.note("classes", balance.as_json())
    return output, balance
