"""Every rule, each broken by a file made for it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data import Inspection, count_findings, read_rows, row_from_record
from bedrock_rft_sim.data.lines import MAX_LINE_BYTES
from bedrock_rft_sim.data.rules import RULES, Holder, RuleSeverity
from bedrock_rft_sim.errors import DataError

USER = {"role": "user", "content": "What is 3 + 4?"}
SYSTEM = {"role": "system", "content": "Be brief."}
PARAMETERS = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
FUNCTION = {"name": "add", "description": "adds", "parameters": PARAMETERS}
TOOL = {"type": "function", "function": FUNCTION}
GOOD = {"id": "a", "messages": [USER], "reference_answer": "#### 7", "tools": [TOOL]}
LINE = json.dumps(GOOD).encode()


def messages(*given: Any) -> dict[str, Any]:
    return {**GOOD, "messages": list(given)}


def content(text: Any) -> dict[str, Any]:
    return messages({"role": "user", "content": text})


def function(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "tools": [{"type": "function", "function": {**FUNCTION, **changes}}]}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


# What one record, or one raw line, breaks.
RECORDS: list[tuple[str, dict[str, Any]]] = [
    ("id-text", {**GOOD, "id": 7}),
    ("id-text", {**GOOD, "id": " "}),
    ("whole-characters", {**GOOD, "id": "\ud800"}),
    ("whole-characters", content("a\udfff")),
    ("reference-usable", {**GOOD, "reference_answer": 7}),
    ("reference-usable", {**GOOD, "reference_answer": "  "}),
    ("reference-usable", {**GOOD, "reference_answer": {}}),
    ("reference-there", without("reference_answer")),
    ("messages", without("messages")),
    ("messages-list", {**GOOD, "messages": "hello"}),
    ("message-object", messages("hello", USER)),
    ("message-whole", messages({"role": "user"})),
    ("message-whole", messages({"content": "What is 3 + 4?"})),
    ("role", messages({"role": "human", "content": "x"}, USER)),
    ("role", messages({"role": None, "content": "x"}, USER)),
    ("content-text", content(None)),
    ("messages", {**GOOD, "messages": None}),
    ("messages-list", {**GOOD, "messages": USER}),
    ("content-text", content([{"type": "image", "image": "x"}])),
    ("content-there", content(" ")),
    ("system-first", messages(USER, SYSTEM, USER)),
    ("user-there", messages(SYSTEM)),
    ("user-last", messages(USER, {"role": "assistant", "content": "7"})),
    ("content-string", content([{"type": "text", "text": "What?"}])),
    ("message-keys", messages({**USER, "name": "x"})),
    ("forbidden-words", content("The end user: what is it?")),
    ("forbidden-words", content("see <IMAGE>")),
    ("forbidden-words-meant", content("My thought: none")),
    ("forbidden-words-meant", content("stop at [eos]")),
    ("tools-required", without("tools")),
    ("tools-list", {**GOOD, "tools": []}),
    ("tools-list", {**GOOD, "tools": {"a": 1}}),
    ("tool-function", {**GOOD, "tools": ["add"]}),
    ("tool-function", {**GOOD, "tools": [{"type": "retrieval", "function": FUNCTION}]}),
    ("tool-named", function(name="")),
    ("tool-named", function(description=None)),
    ("tool-parameters", function(parameters={"type": "string"})),
    ("tool-parameters", function(parameters={**PARAMETERS, "required": "x"})),
    ("tool-names-unique", {**GOOD, "tools": [TOOL, TOOL]}),
]
LINES: list[tuple[str, bytes]] = [
    ("no-byte-order-mark", b"\xef\xbb\xbf" + LINE + b"\n"),
    ("utf-8", b'{"a": "\xff"}\n'),
    ("utf-8", json.dumps(GOOD).encode("utf-16") + b"\n"),
    ("no-nul", b'{"a": "\x00"}\n'),
    ("json", b'{"id": "b", "messages": [}\n'),
    ("object", b"[1]\n"),
    ("finite-numbers", b'{"a": NaN}\n'),
    ("finite-numbers", b'{"a": 1e999}\n'),
    ("keys-once", b'{"a": 1, "a": 2}\n'),
    ("nesting", b'{"a": ' + b"[" * 200_000 + b"\n"),
    ("nesting", b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}\n"),
    ("line-length", b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}\n'),
    ("no-blank-lines", b"\n \n" + LINE + b"\n"),
    ("line-feeds", LINE + b"\r\n"),
    ("records-exist", b""),
    ("records-exist", b"\n\n"),
    ("id-unique", LINE + b"\n" + LINE + b"\n"),
    ("same-keys", LINE + b"\n" + json.dumps(without("id")).encode() + b"\n"),
]
ELSEWHERE = {
    "jsonl-name": "test_the_name_of_the_file_is_held_too",
    "records-min": "test_records_are_counted_as_the_sample_validator_counts",
    "records-max": "test_the_maximum_holds_for_training_and_validation_together",
    "no-validation-set": "test_the_maximum_holds_for_training_and_validation_together",
    "prompt-length": "tests/prepare/test_audit.py",
    "prompts-left": "tests/prepare/test_audit.py",
}


def inspected(path: Path, raw: bytes) -> Inspection:
    path.write_bytes(raw)
    inspection = Inspection(str(path))
    inspection.inspect(path)
    return inspection


def broken(inspection: Inspection) -> list[str]:
    return [finding.rule.id for finding in inspection.findings()]


@pytest.mark.parametrize(("rule", "record"), RECORDS)
def test_a_record_breaks_the_rule_and_no_other(
    rule: str, record: dict[str, Any], tmp_path: Path
) -> None:
    inspection = inspected(tmp_path / "x.jsonl", json.dumps(record).encode() + b"\n")
    assert broken(inspection) == [rule]
    assert inspection.findings()[0].lines == (1,)


@pytest.mark.parametrize(
    ("record", "what", "found"),
    [
        (messages({"role": "user"}), "messages[0].content is missing", "keys role"),
        (messages({"content": "x"}), "messages[0].role is missing", "keys content"),
        (messages({}), "messages[0].role is missing", "an empty object"),
        (content(None), "messages[0].content can't be used", "null"),
        (content(False), "messages[0].content can't be used", "false"),
        ({**GOOD, "messages": None}, "the record has no messages", "null"),
        ({**GOOD, "messages": USER}, "messages can't be used", repr(USER)),
        ({**GOOD, "reference_answer": None}, "reference_answer can't be used", "null"),
    ],
)
def test_what_is_missing_is_called_missing_and_null_is_null(
    record: dict[str, Any], what: str, found: str
) -> None:
    with pytest.raises(DataError) as caught:
        row_from_record(record, source="x.jsonl", line=1)
    assert (caught.value.what, caught.value.found) == (what, found)


@pytest.mark.parametrize(("rule", "raw"), LINES, ids=[f"{i}-{r}" for i, (r, _) in enumerate(LINES)])
def test_a_line_breaks_the_rule_and_no_other(rule: str, raw: bytes, tmp_path: Path) -> None:
    assert broken(inspected(tmp_path / "x.jsonl", raw)) == [rule]


def test_every_rule_has_a_file_that_breaks_it() -> None:
    assert {rule for rule, _ in (*RECORDS, *LINES)} | set(ELSEWHERE) == set(RULES)


def test_every_rule_names_source_and_holder_and_what_blocks_is_an_error() -> None:
    for name, rule in RULES.items():
        assert rule.id == name
        assert rule.what
        assert rule.expected
        assert rule.hint
        assert rule.source
        assert rule.holder in get_args(Holder)
        assert rule.severity in get_args(RuleSeverity)
        assert rule.severity == "error" or not rule.blocks
    assert RULES["tools-required"].holder == "validator"
    assert RULES["content-there"].holder == "SDK"
    assert RULES["messages"].holder == "service"


def test_a_good_file_breaks_no_rule(tmp_path: Path) -> None:
    inspection = inspected(tmp_path / "x.jsonl", LINE + b"\n\n\n")
    assert inspection.findings() == ()
    assert (inspection.records, inspection.valid) == (1, 1)


@pytest.mark.parametrize(("rule", "raw"), LINES, ids=[f"{i}-{r}" for i, (r, _) in enumerate(LINES)])
def test_a_reader_stops_at_what_blocks_and_at_nothing_else(
    rule: str, raw: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(raw)
    if not RULES[rule].blocks:
        assert list(read_rows(path))
        return
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert caught.value.expected == RULES[rule].expected
    assert str(caught.value).count("x.jsonl") == 1


@given(st.sampled_from(RECORDS))
def test_a_record_is_refused_exactly_where_the_inspection_says_that_it_blocks(
    case: tuple[str, dict[str, Any]],
) -> None:
    rule, record = case
    inspection = Inspection("s")
    usable = inspection.check(1, record)
    assert usable == (not RULES[rule].blocks) == bool(inspection.valid)
    if usable:
        assert row_from_record(record, source="s", line=1).messages
    else:
        with pytest.raises(DataError):
            row_from_record(record, source="s", line=1)


def test_the_inspection_goes_on_after_every_violation(tmp_path: Path) -> None:
    bad = [raw.removesuffix(b"\n") for rule, raw in LINES if rule in ("utf-8", "json", "object")]
    lines = [LINE, *bad, b"", json.dumps({**GOOD, "id": "b"}).encode(), LINE]
    inspection = inspected(tmp_path / "x.jsonl", b"\n".join(lines) + b"\n")
    assert inspection.valid == 2
    assert inspection.records == 3 + len(bad)
    found = {finding.rule.id: finding.lines for finding in inspection.findings()}
    assert found["object"] == (5,)
    assert found["no-blank-lines"] == (6,)
    assert found["id-unique"] == (8,)


def test_lines_are_listed_up_to_five_and_counted_beyond(tmp_path: Path) -> None:
    inspection = inspected(tmp_path / "x.jsonl", b"[]\n" * 7)
    (finding,) = inspection.findings()
    assert (finding.count, finding.lines) == (7, (1, 2, 3, 4, 5))
    assert finding.place.endswith("x.jsonl:1,2,3,4,5, ... (7 times)")


def test_a_line_counts_once_however_often_it_breaks_a_rule(tmp_path: Path) -> None:
    empty = {"role": "user", "content": ""}
    raw = json.dumps(messages(empty, empty, empty)).encode() + b"\n"
    (finding,) = inspected(tmp_path / "x.jsonl", raw).findings()
    assert (finding.count, finding.lines) == (1, (1,))
    assert finding.first.what == "messages[0].content is empty"


def test_a_line_of_fifty_megabytes_is_passed_over_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.truncate(50_000_000)  # zeros, and no newline among them
        file.seek(0, 2)
        file.write(b"\n" + LINE + b"\n")
    tracemalloc.start()
    try:
        inspection = Inspection("x")
        inspection.inspect(path)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert broken(inspection) == ["line-length"]
    assert inspection.valid == 1


def test_a_wide_record_is_not_a_deep_one(tmp_path: Path) -> None:
    wide = {**GOOD, "x": [[] for _ in range(500)], "y": json.loads("[" * 99 + "]" * 99)}
    assert broken(inspected(tmp_path / "x.jsonl", json.dumps(wide).encode())) == []


def test_the_name_of_the_file_is_held_too(tmp_path: Path) -> None:
    assert broken(inspected(tmp_path / "x.json", LINE)) == ["jsonl-name"]


def many(name: str, valid: int, part: Any = "training") -> Inspection:
    inspection = Inspection(name, part=part)
    for line in range(1, valid + 1):
        inspection.check(line, {**GOOD, "id": str(line)})
    return inspection


def test_records_are_counted_as_the_sample_validator_counts(tmp_path: Path) -> None:
    lines = [json.dumps({**GOOD, "id": str(index)}).encode() for index in range(99)]
    few = inspected(tmp_path / "x.jsonl", b"\n".join([*lines, b"{}", b"broken"]) + b"\n\n")
    assert few.records == 101
    (finding,) = count_findings([few])
    assert (finding.rule.id, finding.first.found) == ("records-min", "99 valid records")
    assert count_findings([many("x", 100)]) == ()


def test_the_maximum_holds_for_training_and_validation_together() -> None:
    training, validation = many("train", 19_999), many("validation", 2, "validation")
    found = [finding.rule.id for finding in count_findings([training, validation])]
    assert found == ["no-validation-set", "records-max"]
    assert count_findings([training]) == ()


def test_a_key_that_comes_and_goes_names_the_first_line(tmp_path: Path) -> None:
    second = json.dumps(without("reference_answer")).encode().replace(b'"a"', b'"b"', 1)
    inspection = inspected(tmp_path / "x.jsonl", LINE + b"\n" + second + b"\n")
    finding = next(each for each in inspection.findings() if each.rule.id == "same-keys")
    assert finding.first.what == "reference_answer stands in some records only"
    assert finding.first.found == "there on line 1, not on this one"
    assert finding.lines == (2,)
