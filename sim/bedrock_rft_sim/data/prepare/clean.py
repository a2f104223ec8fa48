"""Clean a file: normal form, duplicates, references that contradict themselves, leaks, overlaps.

Two or three passes over the rows, none of which holds them: `examine` finds, `cleaned` gives out.
What is found is always reported, with its line; what is dropped is the caller's choice, by default
the rows that say exactly what an earlier one says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.data.prepare.clean_reference import leak, mark_remarks
from bedrock_rft_sim.data.prepare.clean_text import normalised_record
from bedrock_rft_sim.data.prepare.duplicates import Index, Place, RowPair, RowSource, shared_frame
from bedrock_rft_sim.data.prepare.lineage import id_of
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import DataRow, Unusable, prompt_text, read

Keep = Literal["first", "last", "longest"]

REASONS = {
    "exact": "the question and answer of another row",
    "near": "nearly the question of another row",
    "contradiction": "the question of another row with another answer",
    "overlap": "a question of another file, or a row of its family",
    "mislabelled": "a reference that contradicts itself",
    "leak": "a prompt that holds its own answer",
    "not-executable": "a calculator mark that is no arithmetic",
}
"""What a row can be dropped for."""

THRESHOLD = 0.6
MOST_NOTED = 10_000
"""Remarks listed in the manifest."""


@dataclass(frozen=True, slots=True)
class CleaningRemark:
    """One thing found."""

    kind: str
    """A key of REASONS."""
    source: str
    line: int
    id: str | None
    detail: str
    other: tuple[str, int] | None = None
    """File and line of the row that it is a duplicate of."""
    similarity: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the remark for programs; what is not known is left out."""
        other = {"other": {"source": self.other[0], "line": self.other[1]}} if self.other else {}
        alike = {} if self.similarity is None else {"similarity": round(self.similarity, 4)}
        named = {"kind": self.kind, "source": self.source, "line": self.line, "id": self.id}
        return {**named, "detail": self.detail, **other, **alike}


@dataclass(slots=True)
class Examination:
    """What was found in the files, and which rows of the first to drop."""

    remarks: list[CleaningRemark] = field(default_factory=list)
    drops: dict[int, str] = field(default_factory=dict)
    """Line of the first file to a key of REASONS."""
    rows: int = 0
    """Rows of the first file."""
    unusable: Unusable = field(default_factory=Unusable)
    """Of the first file."""
    not_looked_at: int = 0
    """Pairs proposed as near and not compared, in crowds of copies."""

    @property
    def counts(self) -> dict[str, int]:
        """Return how many of each kind were found."""
        return dict(Counter(remark.kind for remark in self.remarks))


def examine(
    files: Sequence[tuple[str, RowSource]],
    *,
    drop: frozenset[str] = frozenset({"exact"}),
    keep: Keep = "first",
    threshold: float | None = THRESHOLD,
) -> Examination:
    """Look through the files; the first is the one to be cleaned, the others are compared with it.

    `threshold` is the Jaccard similarity of word triples; None leaves near duplicates out.
    """
    found = Examination()
    names = [name for name, _ in files]
    frames = [shared_frame(rows()) for _, rows in files]
    index = Index(threshold=threshold)
    pairs: list[RowPair] = []
    lengths: dict[Place, int] = {}
    ids: dict[Place, str | None] = {}
    for file, (name, rows) in enumerate(files):
        for row in rows():
            if file == 0:
                found.rows += 1
                found.unusable.look_at(row.record, row.line)
                found.remarks += _of_row(row, name)
            asks = bool(prompt_text(row.record).strip())  # no question is the same as another
            new = list(index.add(row, file, frames[file])) if asks else []
            pairs += new
            lengths[file, row.line] = len(prompt_text(row.record))
            ids[file, row.line] = id_of(row.record)
    pairs += index.verified([rows for _, rows in files], frames)
    found.not_looked_at = index.not_looked_at
    in_order = sorted(pairs, key=lambda pair: (pair.second, pair.first))
    found.remarks += [_remark(pair, names, ids) for pair in in_order]
    _choose(found, pairs, drop=drop, keep=keep, lengths=lengths)
    return found


def _of_row(row: DataRow, name: str) -> Iterator[CleaningRemark]:
    for kind, detail in mark_remarks(row.record):
        group = "not-executable" if kind == "mark-not-executable" else "mislabelled"
        yield CleaningRemark(group, name, row.line, id_of(row.record), f"{kind}: {detail}")
    leaked = leak(row.record)
    if leaked:
        yield CleaningRemark("leak", name, row.line, id_of(row.record), leaked)


def kind_of(pair: RowPair) -> str:
    """Return the key of REASONS that a pair falls under."""
    if pair.first[0] != pair.second[0]:
        return "overlap"
    if pair.kind == "near":
        return "near"
    return "contradiction" if pair.has_other_answer else "exact"


def _remark(pair: RowPair, names: list[str], ids: dict[Place, str | None]) -> CleaningRemark:
    # A pair across files is reported at the row of the file to be cleaned, if it has one.
    here, there = (pair.first, pair.second) if pair.second[0] else (pair.second, pair.first)
    return CleaningRemark(
        kind=kind_of(pair),
        source=names[here[0]],
        line=here[1],
        id=ids[here],
        detail=pair.detail,
        other=(names[there[0]], there[1]),
        similarity=pair.similarity,
    )


def _choose(
    found: Examination,
    pairs: Iterable[RowPair],
    *,
    drop: frozenset[str],
    keep: Keep,
    lengths: dict[Place, int],
) -> None:
    """Fill in which rows of the first file go."""
    for remark in found.remarks:
        if remark.kind in drop and remark.other is None:
            found.drops.setdefault(remark.line, remark.kind)
    same: dict[Place, list[Place]] = {}
    for pair in pairs:
        kind = kind_of(pair)
        if kind not in drop or (pair.first[0] and pair.second[0]):
            continue
        if kind == "overlap":
            found.drops.setdefault(min(pair.first, pair.second)[1], kind)
        elif kind == "contradiction":  # nobody knows which answer is right, so neither stays
            found.drops |= {pair.first[1]: kind, pair.second[1]: kind}
        elif kind == "exact":
            same.setdefault(pair.first, [pair.first]).append(pair.second)
        elif pair.first[1] not in found.drops and pair.second[1] not in found.drops:
            for place in _losers([pair.first, pair.second], keep, lengths):
                found.drops[place[1]] = kind
    for places in same.values():
        for place in _losers(places, keep, lengths):
            found.drops.setdefault(place[1], "exact")


def _losers(places: list[Place], keep: Keep, lengths: dict[Place, int]) -> list[Place]:
    """Return all rows but the one that stays."""
    if keep == "longest":
        stays = max(places, key=lambda place: (lengths[place], -place[1]))
    else:
        stays = places[0] if keep == "first" else places[-1]
    return [place for place in places if place != stays]


def cleaned(
    rows: Iterable[DataRow], drops: dict[int, str], *, nfkc: bool = False
) -> Iterator[tuple[DataRow, dict[str, Any], str | None]]:
    """Yield each row, its record in normal form, and why to drop it: None where it stays."""
    for row in rows:
        kind = drops.get(row.line)
        reason = None if kind is None else REASONS[kind]
        yield row, normalised_record(row.record, nfkc=nfkc), reason


def clean_file(
    source: Path,
    out: Path,
    *,
    against: Sequence[Path] = (),
    drop: frozenset[str] = frozenset({"exact"}),
    keep: Keep = "first",
    threshold: float | None = THRESHOLD,
    nfkc: bool = False,
    force: bool = False,
) -> tuple[DataOutput, Examination]:
    """Write the file's rows in normal form, without those to drop; what was found is in the notes.

    Raises:
        DataError: a file can't be read or written, or the library for near duplicates is missing.
    """
    parameters = {"drop": sorted(drop), "keep": keep, "threshold": threshold, "nfkc": nfkc}
    with DataOutput(
        out, operation="clean", parameters=parameters, sources=[source, *against], force=force
    ) as output:
        found = examine_files(source, against=against, drop=drop, keep=keep, threshold=threshold)
        rewritten = 0
        for row, new, reason in cleaned(output.counted(read(source)), found.drops, nfkc=nfkc):
            if reason is None:
                rewritten += new != row.record
                output.write(new)
            else:
                output.drop(row, reason)
        output.note("rewritten", rewritten)
        output.note("found", found.counts)
        output.note("remarks", [remark.as_json() for remark in found.remarks[:MOST_NOTED]])
        output.note("pairs_not_compared", found.not_looked_at)
    return output, found


def examine_files(source: Path, *, against: Sequence[Path], **choices: Any) -> Examination:
    """Look through files on disk; the choices are those of `examine`.

    Raises:
        DataError: a file can't be read, or the library for near duplicates is missing.
    """
    files = [(str(path), partial(read, path)) for path in (source, *against)]
    return examine(files, **choices)
