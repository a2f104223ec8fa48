"""Rows that are one question: exactly, nearly, or with another answer; within files and across.

Near duplicates are proposed by MinHash and locality-sensitive hashing, and reported only where
the exact Jaccard similarity of their word triples reaches the threshold.
What all prompts of a file share (an instruction at the end) is taken off first.
A row and the rows made from it (`parent_id`) are one family and no duplicates of one another, but
a family that stands in two files is an overlap.

Memory: some 3 KB a row for the index (146 MB in all at 20,000 rows), the triples of proposed pairs.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any, Literal

from bedrock_rft_sim.data.prepare.lineage import parent_of, question_of, root_of
from bedrock_rft_sim.data.prepare.rows import (
    DataRow,
    content_text,
    digest,
    messages_of,
    prompt_text,
    reference_text,
)
from bedrock_rft_sim.data.renumber.marks import final_number, shown
from bedrock_rft_sim.errors import DataError

PERMUTATIONS = 128
MOST_CANDIDATES = 25
"""Proposed pairs looked at for one row; a crowd of copies would otherwise cost its square."""
HASHED_SIMILARITY_MAX = 0.95
"""Above it the hashes have no bands to go by; what they propose is compared exactly anyway."""
_AT_ONCE = 4096
"""Triples hashed in one call, so that a huge record needs little memory."""
_WORD = re.compile(r"\w+")

Place = tuple[int, int]
"""Which file (0 is the first), and the line in it."""
RowSource = Callable[[], Iterable[DataRow]]
"""Opens a file anew; it is read more than once."""


@dataclass(frozen=True, slots=True)
class RowPair:
    """Two rows that are one question, or of one family in two files."""

    kind: Literal["same", "near", "family"]
    first: Place
    second: Place
    similarity: float | None
    """1.0 for the same text; None where texts were not compared."""
    has_other_answer: bool

    @property
    def detail(self) -> str:
        """Return what the pair is, in words."""
        if self.kind == "family":
            return "a row of the same family"
        alike = "the same question" if self.kind == "same" else "nearly the same question"
        return f"{alike} with {'another' if self.has_other_answer else 'the same'} answer"


@dataclass(frozen=True, slots=True)
class Frame:
    """What all prompts begin and end with, in characters; whole words only."""

    before: int
    after: int

    def without(self, text: str) -> str:
        """Return what is the row's own."""
        return text[self.before : len(text) - self.after] or text


@dataclass(frozen=True, slots=True)
class _Row:
    """What is kept of a row."""

    place: Place
    root: bytes
    has_parent: bool
    answer: bytes


def shared_frame(rows: Iterable[DataRow]) -> Frame:
    """Return what the questions of all rows have in common at both ends."""
    start: str | None = None
    end = ""
    count = 0
    for row in rows:
        text = _question(row)
        if start is None:
            start, end = text, text[::-1]
        start = commonprefix([start, text])  # noqa: RUF071  texts, not paths
        end = commonprefix([end, text[::-1]])  # noqa: RUF071
        count += 1
    if start is None or count < 3:  # noqa: PLR2004 - two rows alike are a pair, not a frame
        return Frame(0, 0)
    before = start.rfind(" ") + 1
    after = len(end) if end[-1:] in ("", " ", "\n") else end.rfind(" ") + 1
    return Frame(before, after)


def _question(row: DataRow) -> str:
    return question_of(row) or prompt_text(row.record)


def plain(text: str) -> str:
    """Return the text in the form in which two are the same."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def answer_of(record: dict[str, Any]) -> str:
    """Return what the record says the answer is: its final number, else the whole reference."""
    reference = reference_text(record) or ""
    final = final_number(reference)
    return shown(final) if final is not None else plain(reference)


def _context(row: DataRow) -> str:
    """Return the system messages, which are part of what makes two prompts the same."""
    others = (each for each in messages_of(row.record) if each.get("role") != "user")
    return "\n".join(content_text(message.get("content")) for message in others)


class Index:
    """Finds pairs as rows go by, each with an earlier one."""

    def __init__(self, *, threshold: float | None) -> None:
        """Without a threshold only equal texts are found, and no library is needed."""
        self._threshold = threshold
        self._same: dict[bytes, dict[bytes, _Row]] = {}
        """By question and answer: the first row of each."""
        self._families: dict[bytes, _Row] = {}
        self._rows: list[_Row] = []
        self._near = _Proposer(threshold) if threshold is not None else None
        self._proposed: list[tuple[_Row, _Row]] = []
        self.not_looked_at = 0

    def add(self, row: DataRow, file: int, frame: Frame) -> Iterator[RowPair]:
        """Yield the equal rows that came before; keep what may be near for `verified`."""
        root, answer = digest(root_of(row)), digest(answer_of(row.record))
        kept = _Row((file, row.line), root, parent_of(row) is not None, answer)
        question = plain(frame.without(_question(row)))
        text = digest(f"{plain(_context(row))}\n{question}")
        earlier = self._same.setdefault(text, {})
        equal = earlier.get(kept.answer)
        if earlier:
            other = equal or next(iter(earlier.values()))
            yield RowPair("same", other.place, kept.place, 1.0, equal is None)
        else:
            yield from self._family(kept)
            self._propose(kept, question)
        earlier.setdefault(kept.answer, kept)

    def _family(self, kept: _Row) -> Iterator[RowPair]:
        other = self._families.setdefault(kept.root, kept)
        is_across = other.place[0] != kept.place[0]
        if is_across and (other.has_parent or kept.has_parent):
            yield RowPair("family", other.place, kept.place, None, other.answer != kept.answer)

    def _propose(self, kept: _Row, question: str) -> None:
        if self._near is None:
            return
        others = [self._rows[index] for index in self._near.add(question, len(self._rows))]
        self._rows.append(kept)
        others = [other for other in others if other.root != kept.root]
        self.not_looked_at += max(len(others) - MOST_CANDIDATES, 0)
        self._proposed += [(other, kept) for other in others[:MOST_CANDIDATES]]

    def verified(self, files: Sequence[RowSource], frames: Sequence[Frame]) -> Iterator[RowPair]:
        """Read the proposed rows again and yield those that are as similar as the threshold."""
        wanted = {row.place for pair in self._proposed for row in pair}
        triples: dict[Place, frozenset[bytes]] = {}
        for file in sorted({place[0] for place in wanted}):
            for row in files[file]():
                if (file, row.line) in wanted:
                    question = plain(frames[file].without(_question(row)))
                    triples[file, row.line] = frozenset(map(digest, shingles(question)))
        for first, second in self._proposed:
            similarity = jaccard(triples[first.place], triples[second.place])
            if self._threshold is not None and similarity >= self._threshold:
                differ = first.answer != second.answer
                yield RowPair("near", first.place, second.place, similarity, differ)


def shingles(text: str) -> set[str]:
    """Return the triples of neighbouring words; a text of fewer is one."""
    words = _WORD.findall(text)
    if len(words) < 3:  # noqa: PLR2004
        return {text}
    return {" ".join(words[at : at + 3]) for at in range(len(words) - 2)}


def jaccard(one: frozenset[bytes], two: frozenset[bytes]) -> float:
    """Return the size of what both share over the size of what either has."""
    return len(one & two) / len(one | two)


class _Proposer:
    """MinHash of datasketch, and a table of its bands: which earlier texts may be near.

    datasketch's own table takes twice the memory.
    """

    def __init__(self, threshold: float) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as error:
            raise DataError(
                "near duplicates can't be looked for",
                expected="the library datasketch",
                found="it is not installed",
                hint="pip install 'bedrock-rft-sim[data]', or leave them out with --no-near",
            ) from error
        self._empty = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=int)
        # A pair that is missed is lost, one that is proposed in vain is only looked at.
        near = min(threshold, HASHED_SIMILARITY_MAX)
        bands = MinHashLSH(near, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
        self._cuts = [(at * bands.r, (at + 1) * bands.r) for at in range(bands.b)]
        self._first: dict[int, int] = {}
        """By band: the first row that has it."""
        self._more: dict[int, list[int]] = {}
        """By band: later rows, where there are any."""

    def add(self, text: str, key: int) -> list[int]:
        """Return the keys of earlier texts that may be near, in order."""
        sketch = self._empty.copy()
        hashes = [zlib.crc32(triple.encode(errors="replace")) for triple in shingles(text)]
        for at in range(0, len(hashes), _AT_ONCE):
            sketch.update_batch(hashes[at : at + _AT_ONCE])
        values = sketch.hashvalues
        bands = [hash((start, values[start:end].tobytes())) for start, end in self._cuts]
        met = [band for band in bands if band in self._first]
        found = {self._first[band] for band in met}
        found.update(*(self._more.get(band, ()) for band in met))
        if len(found) <= MOST_CANDIDATES:  # a crowd is known by its first members
            for band in bands:
                if self._first.setdefault(band, key) != key:
                    self._more.setdefault(band, []).append(key)
        return sorted(found)
