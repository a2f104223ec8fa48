"""Classes of rows: the profile, and fewer of what there is too much of."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.balance import (
    Balance,
    balance_file,
    capped,
    chosen,
    down_sampled,
    weighted,
)
from bedrock_rft_sim.data.prepare.balance_plot import MOST, draw_balance
from bedrock_rft_sim.data.prepare.features import label_of, profile
from bedrock_rft_sim.data.prepare.output import manifest_path
from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.errors import DataError

COUNTS = {("a",): 60, ("b",): 30, ("c",): 10}


def row(line: int, **more: Any) -> DataRow:
    asked = [{"role": "user", "content": f"What is {line} + 1?"}]
    return DataRow(line, {"id": f"r{line}", "messages": asked, "reference_answer": "x", **more})


def rows_of(counts: dict[str, int]) -> list[DataRow]:
    domains = [name for name, count in counts.items() for _ in range(count)]
    return [row(line, metadata={"domain": name}) for line, name in enumerate(domains, 1)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("operations", "+/"),
        ("steps", "2"),
        ("answer_size", "2 digits"),
        ("prompt_length", "4-7 words"),
        ("metadata.domain", "math"),
        ("metadata.level", "3"),
        ("metadata.nothing", "(missing)"),
        (".operations", "mine"),
    ],
)
def test_a_class_is_a_key_s_value_or_a_derived_feature(key: str, expected: str) -> None:
    record = {
        "messages": [{"role": "user", "content": "How many in April and May?"}],
        "reference_answer": "48/2 = <<48/2=24>>24.\n48+24 = <<48+24=72>>72.\n#### 72",
        "metadata": {"domain": "math", "level": 3},
        "operations": "mine",
    }
    assert label_of(record, [key]) == (expected,)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("#### -3", "negative"),
        ("#### 2.5", "fraction"),
        ("#### 1,234", "4 digits"),
        ("7", "1 digit"),
        ({"final_answer": "12", "steps": []}, "2 digits"),
        ("blue", "(missing)"),
    ],
)
def test_the_size_of_an_answer_is_its_digits(reference: Any, expected: str) -> None:
    record = {"messages": [{"role": "user", "content": "?"}], "reference_answer": reference}
    assert label_of(record, ["answer_size"]) == (expected,)


def test_the_profile_counts_every_combination_the_largest_first() -> None:
    rows = [row(line, a="x" if line % 3 else "y", b="z") for line in range(1, 10)]
    assert list(profile(rows, ["a", "b"]).items()) == [(("x", "z"), 6), (("y", "z"), 3)]
    assert profile([], ["a"]) == {}


def test_a_key_that_no_row_has_is_an_error() -> None:
    with pytest.raises(DataError, match="no row has the key 'domian'") as error:
        profile(rows_of({"a": 3}), ["domian"])
    assert "top-level keys id, messages, reference_answer, metadata" in str(error.value)


def test_a_cap_and_the_smallest_class_bound_the_others() -> None:
    assert capped(COUNTS, 20) == {("a",): 20, ("b",): 20, ("c",): 10}
    assert set(down_sampled(COUNTS).values()) == {10}
    assert down_sampled({}) == {}


def test_a_target_gives_the_largest_file_with_these_shares() -> None:
    assert weighted(COUNTS, {("a",): 0.5, ("b",): 0.5}) == {("a",): 30, ("b",): 30, ("c",): 0}
    assert weighted(COUNTS, {("a",): 2, ("c",): 1}) == {("a",): 20, ("b",): 0, ("c",): 10}


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 9)), min_size=1, max_size=6))
def test_a_target_never_asks_for_more_than_there_is(classes: list[tuple[int, int]]) -> None:
    counts = {(str(n),): count for n, (count, _) in enumerate(classes)}
    target = {(str(n),): float(share) for n, (_, share) in enumerate(classes)}
    quota = weighted(counts, target)
    assert all(quota[label] <= counts[label] for label in counts)
    assert any(quota[label] == counts[label] for label in counts)


@pytest.mark.parametrize(
    ("target", "words"), [({("d",): 1.0}, "no row of d"), ({("a",): 0.0}, "no share above 0")]
)
def test_a_target_that_can_t_be_met_is_an_error(target: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        weighted(COUNTS, target)
    assert "classes a, b, c" in str(error.value)


def test_who_stays_hangs_on_seed_and_id_alone() -> None:
    rows = rows_of({"a": 40, "b": 5})
    quota = {("a",): 10, ("b",): 5}
    by = ["metadata.domain"]
    lines = chosen(rows, quota, by=by, seed=0)
    assert len(lines) == 15
    assert chosen(rows[::-1], quota, by=by, seed=0) == lines
    assert chosen(rows, quota, by=by, seed=1) != lines
    more = [*rows, *[row(line, metadata={"domain": "c"}) for line in range(50, 60)]]
    assert chosen(more, quota, by=by, seed=0) == lines


def test_a_balanced_file_keeps_the_order_and_says_what_was_lost(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = rows_of({"a": 12, "b": 4})
    source.write_text("".join(json.dumps(each.record) + "\n" for each in rows))
    _, balance = balance_file(
        source,
        out,
        by=["metadata.domain"],
        quota_of=partial(capped, limit=5),
        parameters={"cap": 5},
        seed=3,
    )
    kept = [each.record for each in read(out)]
    assert len(kept) == 9
    assert [each.record for each in rows if each.record in kept] == kept
    manifest = json.loads(manifest_path(out).read_text())
    assert manifest["notes"]["classes"] == balance.as_json()
    assert balance.as_json()[0] == {"class": ["a"], "before": 12, "after": 5}
    (drop,) = manifest["drops"]
    assert drop["reason"] == "too many of class a"
    assert drop["count"] == len(drop["lines"]) == 7


def test_the_plot_is_the_same_svg_every_time_and_names_each_class(tmp_path: Path) -> None:
    balance = Balance(COUNTS, capped(COUNTS, 20))
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    for path in (one, two):
        draw_balance(balance, path, title="rows by domain & <price> $5")
    assert one.read_bytes() == two.read_bytes()
    ElementTree.fromstring(one.read_text())  # our own file: is it whole?
    for words in ("rows by domain &amp; &lt;price&gt;", ">a</text>", ">before</text>", ">after"):
        assert words in one.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.svg", "two.svg"]


def test_many_classes_are_drawn_as_the_largest_and_the_rest(tmp_path: Path) -> None:
    counts = {(f"class {n}",): 100 - n for n in range(MOST + 7)}
    draw_balance(Balance(counts, counts), tmp_path / "x.svg", title="many")
    text = (tmp_path / "x.svg").read_text()
    assert "7 smaller classes" in text
    assert f"class {MOST + 1}<" not in text
    assert "after" not in text


def test_a_plot_that_can_t_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't write the plot"):
        draw_balance(Balance(COUNTS, COUNTS), tmp_path / "no" / "x.svg", title="x")
