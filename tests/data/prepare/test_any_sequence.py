"""Whatever is done to a file, in whatever order: answers stay right, ids unique, splits untorn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.augment import KINDS, Augmentation, augment, survey
from bedrock_rft_sim.data.prepare.balance import balanced, capped, chosen, down_sampled
from bedrock_rft_sim.data.prepare.clean import REASONS, cleaned, examine
from bedrock_rft_sim.data.prepare.features import DERIVED, profile
from bedrock_rft_sim.data.prepare.rows import DataRow
from bedrock_rft_sim.data.prepare.split import assign
from bedrock_rft_sim.data.problems import generate, to_record
from tests.data.prepare.recomputed import MARK, NUMBER, mistakes, texts, value

Records = list[dict[str, Any]]
Parts = dict[str, Records]
"""The files there are, each under the path of the splits that led to it: `all.train.b`."""
Operation = Callable[[Records], Parts]


def rows_of(records: Records) -> list[DataRow]:
    return [DataRow(line, record) for line, record in enumerate(records, 1)]


def clean(records: Records, drop: frozenset[str], keep: Any, threshold: float | None) -> Parts:
    rows = rows_of(records)
    found = examine([("x", lambda: rows)], drop=drop, keep=keep, threshold=threshold)
    return {"": [new for _, new, why in cleaned(rows, found.drops, nfkc=True) if why is None]}


def balance(records: Records, by: list[str], cap: int | None, seed: int) -> Parts:
    rows = rows_of(records)
    counts = profile(rows, by)
    quota = down_sampled(counts) if cap is None else capped(counts, cap)
    lines = chosen(rows, quota, by=by, seed=seed)
    return {"": [row.record for row, why in balanced(rows, lines, by=by) if why is None]}


def augmented(records: Records, kinds: Sequence[Augmentation], copies: int, seed: int) -> Parts:
    rows = rows_of(records)
    made = augment(rows, kinds=kinds, copies=copies, seed=seed, taken=survey(rows), tallies={})
    return {"": list(made)}


def split(records: Records, by: list[str], seed: int) -> Parts:
    rows = rows_of(records)
    parts = assign(rows, {"a": 0.7, "b": 0.3}, seed=seed, by=by)
    return {f".{part}": [r.record for r in rows if parts[r.line] == part] for part in ("a", "b")}


seeds = st.integers(0, 5)
cleanings = st.tuples(
    st.just(clean),
    st.sampled_from([frozenset(), frozenset({"exact"}), frozenset({"near"}), frozenset(REASONS)]),
    st.sampled_from(["first", "last", "longest"]),
    st.sampled_from([None, 0.6]),
)
balancings = st.tuples(
    st.just(balance),
    st.sampled_from([[name] for name in DERIVED] + [["operations", "steps"]]),
    st.sampled_from([None, 2, 4]),
    seeds,
)
augmentations = st.tuples(
    st.just(augmented),
    st.sampled_from([KINDS, KINDS[:1], KINDS[1:2], KINDS[2:], KINDS[::-1]]),
    st.integers(1, 2),
    seeds,
)
splits = st.tuples(st.just(split), st.sampled_from([[], ["steps"]]), seeds)
operations = st.one_of(augmentations, splits, cleanings, balancings)
sequences = st.integers(1, 5).flatmap(lambda count: st.tuples(*[operations] * count))


def start(shape: Any) -> Records:
    """Return ten problems, a copy under another id and one that nearly is."""
    records = [to_record(problem, shape=shape) for problem in generate(10, seed=3)]
    copy = {**records[0], "id": "copy"}
    asked = records[1]["messages"][-1]
    near = {**asked, "content": f"Now then: {asked['content']}"}
    messages = [*records[1]["messages"][:-1], near]
    other = {k: v for k, v in records[1].items() if k != "original_question"}
    return [*records, copy, {**other, "id": "near", "messages": messages}]


def is_answered_right(record: dict[str, Any]) -> bool:
    """Say whether the solution computes, and with the numbers of the question."""
    question, solution, _ = texts(record)
    used = {value(n) for mark in MARK.findall(solution) for n in re.findall(NUMBER, mark[0])}
    asked = {value(n) for n in re.findall(NUMBER, question)}
    shares = {number / 100 for number in asked} | {1 - number / 100 for number in asked}
    return not list(mistakes(record)) and asked <= used | shares | {n * 100 for n in used}


def root(record: dict[str, Any]) -> str:
    return str(record.get("parent_id", record["id"]))


@settings(max_examples=16)
@given(shape=st.sampled_from(["nova", "open-weight"]), sequence=sequences)
def test_any_sequence_keeps_answers_ids_and_splits(shape: str, sequence: Sequence[Any]) -> None:
    parts: Parts = {"all": start(shape)}
    assert all(map(is_answered_right, parts["all"]))
    for operation, *arguments in sequence:
        before = {record["id"]: part for part, records in parts.items() for record in records}
        of_root = {root(r): part for part, records in parts.items() for r in records}
        parts = {
            part + deeper: made
            for part, records in parts.items()
            for deeper, made in operation(records, *arguments).items()
        }
        everything = [(part, record) for part, records in parts.items() for record in records]
        ids = [record["id"] for _, record in everything]
        assert len(set(ids)) == len(ids)
        assert all(is_answered_right(record) for _, record in everything)
        for part, record in everything:
            assert part.startswith(before.get(record["id"], of_root[root(record)]))
        assert len({(root(r), part) for part, r in everything}) == len(
            {root(r) for _, r in everything}
        )
