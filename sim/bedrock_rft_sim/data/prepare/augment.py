"""Make more rows out of a row: new numbers, other names, another frame; each with its parent's id.

The parent is passed on unchanged (with the id that it goes by), its children follow it. A child
carries, beside the parent's keys:

- `id`: the parent's with `-renumber-1`, `-rename-1`, `-paraphrase-1` behind it, unique in the file;
- `parent_id`: the id of the row at the root, so that a child of a child stays in the family. It
  stands at the top level, beside `data_source`: the one place that both published record shapes
  leave open and that reaches the grader as metadata;
- `augmentation`: how it was made.

A child is checked by code that did not make it, and one that can't be verified is not given out.
A pure function of (rows, seed): what a row yields depends on its own id and the seed alone, apart
from what was there already.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.data.prepare import worked
from bedrock_rft_sim.data.prepare.clean_reference import mark_remarks
from bedrock_rft_sim.data.prepare.lineage import name_of, root_of
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.paraphrase import draw_frames, framed, is_framed
from bedrock_rft_sim.data.prepare.rename import draw_renaming, rename
from bedrock_rft_sim.data.prepare.rows import DataRow, digest, prompt_text, read
from bedrock_rft_sim.data.renumber.draw import (
    NumberMap,
    draw,
    rewrite_question,
    rewrite_solution,
    written_like,
)
from bedrock_rft_sim.data.renumber.marks import answer_number, final_number, shown
from bedrock_rft_sim.data.renumber.scheme import NotRenumberableError, Scheme, scheme_of
from bedrock_rft_sim.data.renumber.verify import NotASumError, compute, refusal

Augmentation = Literal["renumber", "rename", "paraphrase"]
KINDS: tuple[Augmentation, ...] = ("renumber", "rename", "paraphrase")

DRAWS = 4
"""Renumberings shown to the verifier before a row is given up."""

NO_SOLUTION = "there is no worked solution with a final number"
NO_DRAW = "no other numbers keep every result of its kind"
NO_NAMES = "no name or thing that can safely be called otherwise"
FRAMED = "the question stands in a frame already"
NO_TEXT = "the last user message is no plain text"
THERE_ALREADY = "the new question was there already"


@dataclass(slots=True)
class Taken:
    """What may not be made again: the ids and the prompts of the file."""

    ids: set[str] = field(default_factory=set)
    prompts: set[bytes] = field(default_factory=set)
    """Fingerprints, 8 bytes each."""
    numbers: dict[str, int] = field(default_factory=dict)
    """The last number given to a new id of each stem."""


@dataclass(slots=True)
class Tally:
    """What came of one kind of augmentation."""

    rows: int = 0
    """Rows that were looked at."""
    parents: int = 0
    """Rows that gave at least one new row."""
    made: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why a row gave none."""

    def as_json(self) -> dict[str, Any]:
        """Return the tally for programs, the most frequent reason first."""
        counts = {"rows": self.rows, "parents": self.parents, "made": self.made}
        return {**counts, "reasons": dict(self.reasons.most_common())}


class _NoneMadeError(ValueError):
    """No row can be made; the message is the reason."""


def survey(rows: Iterable[DataRow]) -> Taken:
    """Return what the file holds already; the first of two passes."""
    taken = Taken()
    for row in rows:
        taken.ids.add(name_of(row))
        taken.prompts.add(_fingerprint(row.record))
    return taken


def augment(
    rows: Iterable[DataRow],
    *,
    kinds: Sequence[Augmentation],
    copies: int,
    seed: int,
    taken: Taken,
    tallies: dict[Augmentation, Tally],
) -> Iterator[dict[str, Any]]:
    """Yield every row, each followed by the rows made from it, at most `copies` of a kind.

    `taken` is the `survey` of the same rows; `tallies` is filled in as the rows go by.
    """
    for row in rows:
        parent = {**row.record, "id": name_of(row)}
        yield parent
        for kind in kinds:
            tally = tallies.setdefault(kind, Tally())
            tally.rows += 1
            before = tally.made
            reason = THERE_ALREADY
            try:
                for child in _children(parent, kind, copies=copies, seed=seed):
                    if _take(taken, child):
                        child["id"] = _new_id(taken, f"{parent['id']}-{kind}")
                        if parent.get("task_id") == parent["id"]:
                            child["task_id"] = child["id"]
                        tally.made += 1
                        yield {**child, "parent_id": root_of(row), "augmentation": kind}
            except (_NoneMadeError, NotRenumberableError) as error:
                reason = str(error)
            if tally.made == before:
                tally.reasons[reason] += 1
            else:
                tally.parents += 1


def _take(taken: Taken, child: dict[str, Any]) -> bool:
    fingerprint = _fingerprint(child)
    is_new = fingerprint not in taken.prompts
    taken.prompts.add(fingerprint)
    return is_new


def _new_id(taken: Taken, stem: str) -> str:
    number = taken.numbers.get(stem, 0) + 1
    while f"{stem}-{number}" in taken.ids:
        number += 1
    taken.ids.add(f"{stem}-{number}")
    taken.numbers[stem] = number
    return f"{stem}-{number}"


def _fingerprint(record: dict[str, Any]) -> bytes:
    return digest(" ".join(prompt_text(record).split()))


def _children(
    parent: dict[str, Any], kind: Augmentation, *, copies: int, seed: int
) -> Iterator[dict[str, Any]]:
    problem = worked.problem_of(parent)
    if problem is None:
        raise _NoneMadeError(NO_TEXT)
    rng = random.Random(f"{seed}:{kind}:{parent['id']}")  # noqa: S311 - reproducible, not secret
    make = {"renumber": _renumbered, "rename": _renamed, "paraphrase": _paraphrased}[kind]
    yield from make(parent, problem, copies=copies, rng=rng)


def _renumbered(
    parent: dict[str, Any], problem: worked.WorkedProblem, *, copies: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    if problem.solution is None:
        raise _NoneMadeError(NO_SOLUTION)
    scheme = scheme_of(problem.question, problem.solution)
    _check_parent(parent, problem.solution)
    for _ in range(copies):
        yield _verified(parent, problem.solution, scheme, rng)


def _verified(
    parent: dict[str, Any], solution: str, scheme: Scheme, rng: random.Random
) -> dict[str, Any]:
    """Return a renumbered row that the second opinion holds; `DRAWS` are tried."""
    why = None
    for _ in range(DRAWS):
        numbers = draw(scheme, rng)
        if numbers is None:
            raise _NoneMadeError(NO_DRAW)
        child = worked.reworded(
            parent,
            question=partial(rewrite_question, numbers=numbers),
            solution=partial(rewrite_solution, numbers=numbers),
            answer=partial(_new_answer, numbers=numbers),
        )
        why = _distrust(child, solution)
        if why is None:
            return child
    raise _NoneMadeError(f"not verified: {why}")


def _check_parent(record: dict[str, Any], solution: str) -> None:
    if next(mark_remarks(record), None):
        raise _NoneMadeError("the reference contradicts itself")
    final = final_number(solution)
    for answer in worked.answers_of(record):
        if answer_number(answer) != final or not re.fullmatch(
            r"(?:####)?[\s$]*[\d,.]+", answer.strip()
        ):
            raise _NoneMadeError("the record states its answer in more than one way")


def _new_answer(text: str, numbers: NumberMap) -> str:
    old = re.search(r"[\d,]*\.?\d+", text)
    final = final_number(f"#### {old.group()}") if old else None
    if old is None or final is None or final not in numbers:
        return text
    return text.replace(old.group(), written_like(old.group(), numbers[final]), 1)


def _distrust(child: dict[str, Any], old_solution: str) -> str | None:
    problem = worked.problem_of(child)
    if problem is None or problem.solution is None:
        return "the new record has lost its texts"
    final = final_number(problem.solution)
    answers = worked.answers_of(child) or [shown(final)] if final is not None else [""]
    reasons = (
        refusal(
            question=problem.question,
            solution=problem.solution,
            old_solution=old_solution,
            answer=answer.replace("####", ""),
        )
        for answer in answers
    )
    return next((reason for reason in reasons if reason), None) or _distrust_steps(child, problem)


def _distrust_steps(child: dict[str, Any], problem: worked.WorkedProblem) -> str | None:
    """Say whether a reference in steps differs from the solution beside it."""
    bare = [
        re.sub(r"<<[^>]*>>|\s", "", text)
        for text in (problem.solution or "", *worked.steps_of(child))
    ]
    are_there = all(step in bare[0] for step in bare[1:])
    return None if are_there else "a step of the new reference is not in its solution"


def _renamed(
    parent: dict[str, Any], problem: worked.WorkedProblem, *, copies: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    if problem.solution is None or final_number(problem.solution) is None:
        raise _NoneMadeError(NO_SOLUTION)
    for _ in range(copies):
        renaming = draw_renaming(problem.question, problem.solution, rng)
        if renaming is None:
            raise _NoneMadeError(NO_NAMES)
        reword = partial(rename, renaming=renaming)
        child = worked.reworded(parent, question=reword, solution=reword)
        if not _same_numbers(parent, child):
            raise _NoneMadeError("not verified: a number or the answer changed with the names")
        yield child


def _same_numbers(parent: dict[str, Any], child: dict[str, Any]) -> bool:
    """Say whether both records ask with the same numbers and have the same answer."""
    old, new = worked.problem_of(parent), worked.problem_of(child)
    if old is None or new is None or old.solution is None or new.solution is None:
        return False
    texts = ((old.question, new.question), (old.solution, new.solution))
    are_same = all(re.findall(r"\d+", one) == re.findall(r"\d+", two) for one, two in texts)
    try:
        finals = {compute(each.solution.rpartition("####")[2]) for each in (old, new)}  # type: ignore[union-attr]
    except NotASumError:
        return False
    return are_same and len(finals) == 1 and worked.answers_of(parent) == worked.answers_of(child)


def _paraphrased(
    parent: dict[str, Any], problem: worked.WorkedProblem, *, copies: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    del problem
    prompt = worked.prompt_of(parent) or ""
    if is_framed(prompt):
        raise _NoneMadeError(FRAMED)
    for frame in draw_frames(copies, rng):
        child = worked.with_prompt(parent, partial(framed, frame=frame))
        if prompt not in (worked.prompt_of(child) or ""):
            raise _NoneMadeError("not verified: the question changed in its frame")
        yield child


def augment_file(
    source: Path,
    out: Path,
    *,
    kinds: Sequence[Augmentation],
    copies: int,
    seed: int,
    force: bool = False,
) -> DataOutput:
    """Write the rows of the file and those made from them; the tallies are in the notes.

    Raises:
        DataError: the file can't be read, or the output can't be written.
    """
    tallies: dict[Augmentation, Tally] = {}
    parameters = {"kinds": list(kinds), "copies": copies}
    with DataOutput(
        out, operation="augment", parameters=parameters, sources=[source], seed=seed, force=force
    ) as output:
        taken = survey(read(source))
        rows = output.counted(read(source))
        for record in augment(
            rows, kinds=kinds, copies=copies, seed=seed, taken=taken, tallies=tallies
        ):
            output.write(record)
        output.note("augmented", {kind: tally.as_json() for kind, tally in tallies.items()})
    return output
