"""Split a file into parts: seeded, each class in the same proportions, no family torn apart.

Rows made from one row (`parent_id`) stay together, and so do rows that ask the same question: a
question that is trained on must not be the one that is validated with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bedrock_rft_sim.data.prepare.duplicates import plain
from bedrock_rft_sim.data.prepare.features import Label, label_of, label_text, profile
from bedrock_rft_sim.data.prepare.lineage import name_of, question_of, root_of
from bedrock_rft_sim.data.prepare.output import DataOutput, open_parts
from bedrock_rft_sim.data.prepare.rows import DataRow, digest, read
from bedrock_rft_sim.errors import DataError

Shares = Mapping[str, float]
"""Part name to its share, above 0; they add up to 1."""


@dataclass(slots=True)
class _Family:
    """Rows that must stay together."""

    rank: bytes
    label: Label
    lines: list[int]


def assign(
    rows: Iterable[DataRow], shares: Shares, *, seed: int, by: Sequence[str] = ()
) -> dict[int, str]:
    """Return the part of each line.

    Within a class, families go one after the other, in an order drawn by the seed, to the part that
    is furthest from its share; what a class leaves over is made up for by the next.
    """
    strata: dict[Label, list[_Family]] = {}
    for family in _families(rows, by=by, seed=seed):
        strata.setdefault(family.label, []).append(family)
    exact = {part: Fraction(str(share)) for part, share in shares.items()}
    wanting = dict.fromkeys(shares, Fraction(0))
    parts: dict[int, str] = {}
    for label in sorted(strata):
        count = sum(len(family.lines) for family in strata[label])
        for part, share in exact.items():
            wanting[part] += share * count
        for family in sorted(strata[label], key=lambda each: each.rank):
            part = max(wanting, key=lambda name: wanting[name])
            wanting[part] -= len(family.lines)
            parts |= dict.fromkeys(family.lines, part)
    return parts


def _families(rows: Iterable[DataRow], *, by: Sequence[str], seed: int) -> list[_Family]:
    """Return the families in order of their first row, which also gives the class."""
    from scipy.cluster.hierarchy import DisjointSet

    alike = DisjointSet()
    members: list[tuple[bytes, _Family]] = []
    for row in rows:
        root, question = f"root:{root_of(row)}", f"asks:{plain(question_of(row))}"
        keys = digest(root), digest(question)
        alike.add(keys[0])
        alike.add(keys[1])
        alike.merge(*keys)
        rank = digest(f"{seed}:{root_of(row)}")
        members.append((keys[0], _Family(rank, label_of(row.record, by), [row.line])))
    families: dict[bytes, _Family] = {}
    for key, member in members:
        family = families.setdefault(alike[key], member)
        if family is not member:
            family.lines += member.lines
    return list(families.values())


def split_file(
    source: Path,
    out: Path,
    *,
    shares: Shares,
    seed: int,
    by: Sequence[str] = (),
    force: bool = False,
) -> tuple[DataOutput, ...]:
    """Write one file for each part into the folder, all of them or, if anything fails, none.

    Each record is written with the id that it goes by, so that a row without one keeps its name.

    Raises:
        DataError: the file can't be read or written, a key is not there, a part gets no row.
    """
    with open_parts(
        out,
        dict.fromkeys(shares, source),
        operation="split",
        parameters={"shares": dict(shares), "by": list(by)},
        seed=seed,
        force=force,
    ) as outputs:
        before = profile(read(source), by) if by else {}
        parts = assign(read(source), shares, seed=seed, by=by)
        _check_filled(parts, shares, source)
        for row in read(source):
            output = outputs[parts[row.line]]
            for _ in output.counted([row]):
                output.write({**row.record, "id": name_of(row)})
        for output in outputs.values():
            output.note("classes", {label_text(label): count for label, count in before.items()})
    return tuple(outputs.values())


def _check_filled(parts: Mapping[int, str], shares: Shares, source: Path) -> None:
    empty = [part for part in shares if part not in parts.values()]
    if empty:
        raise DataError(
            f"the part {empty[0]} would be empty",
            where=str(source),
            expected="enough rows, of enough families, for every part",
            found=f"{len(parts)} rows",
            hint="give fewer parts or more rows",
        )
