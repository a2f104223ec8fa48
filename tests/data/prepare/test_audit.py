"""FileLengths and the audit of whole files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.audit import audit
from bedrock_rft_sim.data.prepare.lengths import FileLengths, LengthCounter, LengthSummary, spread
from bedrock_rft_sim.data.tokens import ChatTokenizer, load_tokenizer
from bedrock_rft_sim.errors import DataError

WIDE = "x " * 40


@pytest.fixture(scope="module")
def tiny() -> ChatTokenizer:
    return load_tokenizer("tiny")


def test_the_99th_percentile_is_the_length_that_99_of_100_do_not_exceed() -> None:
    assert spread(range(1, 101)) == LengthSummary(shortest=1, median=50.5, p99=99, longest=100)
    assert spread([7]) == LengthSummary(shortest=7, median=7, p99=7, longest=7)
    assert spread([]) is None


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_at_least_99_percent_are_within_p99_and_fewer_within_anything_less(
    lengths: list[int],
) -> None:
    found = spread(lengths)
    assert found is not None
    assert 100 * sum(each <= found.p99 for each in lengths) >= 99 * len(lengths)
    assert 100 * sum(each < found.p99 for each in lengths) < 99 * len(lengths)


def test_the_advice_is_twice_the_prompts_and_three_times_the_answers() -> None:
    lengths = FileLengths(
        "m", LengthSummary(1, 1, 155, 200), LengthSummary(1, 1, 250, 300), limit=310, dropped=0
    )
    assert (lengths.recommended_prompt, lengths.recommended_answer) == (310, 750)
    nothing = FileLengths("m", None, None, limit=None, dropped=None)
    assert (nothing.recommended_prompt, nothing.recommended_answer) == (None, None)


def test_lengths_are_those_of_the_tokenizer_one_by_one(tiny: ChatTokenizer) -> None:
    counter = LengthCounter(tiny, file="x")
    records: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "x " * n}], "reference_answer": "y" * n}
        for n in range(1, 600)
    ]
    for line, record in enumerate(records, start=1):
        counter.add(line, record)
    lengths = counter.lengths()
    assert list(counter.prompts) == [tiny.count(record["messages"]) for record in records]
    references = [len(tiny.encode(record["reference_answer"])) for record in records]
    assert lengths.reference == spread(references)
    assert lengths.model == "tiny"
    assert (lengths.limit, lengths.dropped) == (None, None)


def counted_by(
    tokenizer: ChatTokenizer, limit: int | None
) -> Callable[[str, Callable[[int, int], None]], LengthCounter]:
    return lambda file, on_long: LengthCounter(tokenizer, file=file, limit=limit, on_long=on_long)


def test_prompts_over_the_limit_are_a_finding_with_their_lines(
    tiny: ChatTokenizer, write_rows: Callable[..., Path]
) -> None:
    path = write_rows(100)
    lines = path.read_text().splitlines()
    for index in (3, 7):
        record = json.loads(lines[index])
        record["messages"][0]["content"] = WIDE
        lines[index] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n")
    found = audit([path], counter_of=counted_by(tiny, 40))
    long = next(finding for finding in found.findings if finding.rule.id == "prompt-length")
    assert (long.count, long.lines) == (2, (4, 8))
    assert long.first.found == f"{tiny.count([{'role': 'user', 'content': WIDE}])} tokens"
    assert found.ok
    (file,) = found.files
    assert file.lengths is not None
    assert file.lengths.dropped == 2
    assert len(file.prompts) == 100


@pytest.mark.parametrize(("long", "ok"), [(0, True), (50, True), (51, False), (100, False)])
def test_a_file_most_of_whose_prompts_would_be_left_out_fails(
    long: int, ok: bool, tiny: ChatTokenizer, write_rows: Callable[..., Path]
) -> None:
    path = write_rows(100)
    good = path.with_name("good.jsonl")
    good.write_text(path.read_text())
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records[:long]:
        record["messages"][0]["content"] = WIDE
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = audit([path], counter_of=counted_by(tiny, 40))
    assert found.ok == ok
    few = [each.first.found for each in found.findings if each.rule.id == "prompts-left"]
    assert few == ([] if ok else [f"{long} of 100 prompts are longer"])
    assert audit([path]).ok  # lengths that nobody counted are no reason
    assert audit([good], [path], counter_of=counted_by(tiny, 40)).ok  # only training is at stake


def test_broken_records_are_not_measured(tiny: ChatTokenizer, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "a"}]}\n{"messages": []}\nnot\n')
    found = audit([path], counter_of=counted_by(tiny, None))
    assert not found.ok
    (file,) = found.files
    assert (file.records, file.valid, len(file.prompts)) == (3, 1, 1)
    told = found.as_json()
    assert told["ok"] is False
    assert told["files"][0]["lengths"]["reference"] is None
    assert {each["rule"] for each in told["findings"]} >= {"json", "messages", "records-min"}
    assert json.loads(json.dumps(told)) == told


def test_without_a_tokenizer_nothing_is_measured(write_rows: Callable[..., Path]) -> None:
    (file,) = audit([write_rows(100)]).files
    assert file.lengths is None
    assert file.prompts == ()


def test_a_validation_file_needs_no_hundred_records(write_rows: Callable[..., Path]) -> None:
    train, validation = write_rows(100), write_rows(5, "validation.jsonl")
    assert not audit([train, validation]).ok
    found = audit([train], [validation])
    assert found.ok
    assert [file.part for file in found.files] == ["training", "validation"]
    assert {finding.rule.id for finding in found.findings} == {
        "tools-required",
        "no-validation-set",
    }


def test_a_template_that_refuses_the_messages_names_the_line(
    tmp_path: Path, small_tokenizer: ChatTokenizer, write_rows: Callable[..., Path]
) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl:1: the chat template"):
        audit([write_rows(3)], counter_of=counted_by(small_tokenizer, None))


@pytest.fixture
def small_tokenizer(tmp_path: Path) -> ChatTokenizer:
    """Return a tokenizer whose template refuses everything."""
    import shutil

    from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER

    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER, folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no such role') }}")
    return load_tokenizer(str(folder))
