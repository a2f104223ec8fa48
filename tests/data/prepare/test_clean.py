"""What is found in a file, what is dropped for it, and what stays as it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.clean import Examination, clean_file, examine
from bedrock_rft_sim.data.prepare.clean_text import normalised, normalised_reference
from bedrock_rft_sim.data.prepare.duplicates import MOST_CANDIDATES, Frame, Index
from bedrock_rft_sim.data.prepare.output import manifest_path
from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.errors import DataError

STORY = (
    "A farmer has forty hens and every hen lays two eggs a day which he sells at the market in the "
    "village for {price} each so how much does he earn in {days} days"
)
SUM = "40*2=<<40*2=80>>80\n80*3=<<80*3=240>>240\n#### 240"


def row(line: int, question: str, reference: Any = "#### 5", **more: Any) -> DataRow:
    asked = [{"role": "user", "content": question}]
    record = {"id": f"r{line}", "messages": asked, "reference_answer": reference, **more}
    return DataRow(line, record)


def rows_of(*questions: Any) -> list[DataRow]:
    pairs = [(each, "#### 5") if isinstance(each, str) else each for each in questions]
    return [row(line, *pair) for line, pair in enumerate(pairs, 1)]


def look(rows: list[DataRow], *others: list[DataRow], **options: Any) -> Examination:
    files = [(f"file{n}", lambda each=each: each) for n, each in enumerate((rows, *others))]
    return examine(files, **options)  # type: ignore[arg-type]


def told(found: Examination) -> list[tuple[str, int, Any]]:
    return [(each.kind, each.line, each.other) for each in found.remarks]


def test_equal_questions_with_equal_answers_are_duplicates_whatever_case_and_spaces() -> None:
    found = look(rows_of("What is it?", "Who?", " what  IS it?", "What is it?"), threshold=None)
    assert told(found) == [("exact", 3, ("file0", 1)), ("exact", 4, ("file0", 1))]
    assert found.drops == {3: "exact", 4: "exact"}
    assert found.counts == {"exact": 2}


def test_equal_questions_with_other_answers_contradict_each_other_and_neither_stays() -> None:
    rows = rows_of(("What is it?", "#### 5"), "Who?", ("What is it?", "so it is\n#### 6"))
    found = look(rows, threshold=None)
    assert told(found) == [("contradiction", 3, ("file0", 1))]
    assert found.drops == {}
    drop = frozenset({"contradiction"})
    assert set(look(rows, threshold=None, drop=drop).drops) == {1, 3}


def test_a_worked_answer_and_the_bare_number_are_no_contradiction() -> None:
    rows = rows_of(("Eggs?", SUM), ("Eggs?", {"final_answer": "240", "steps": []}))
    assert told(look(rows, threshold=None)) == [("exact", 2, ("file0", 1))]


def test_other_instructions_make_another_question() -> None:
    one, two = rows_of("What is it?", "What is it?")
    system = {"role": "system", "content": "Answer in French."}
    two.record["messages"].insert(0, system)
    assert told(look([one, two], threshold=None)) == []


def test_nearly_equal_questions_are_told_with_their_similarity() -> None:
    rows = rows_of(
        STORY.format(price="a dollar", days="three"),
        "Something else entirely is asked here, about the weather of next week.",
        STORY.format(price="a dollar", days="four"),
    )
    found = look(rows, drop=frozenset({"near"}))
    assert told(found) == [("near", 3, ("file0", 1))]
    (remark,) = found.remarks
    assert remark.similarity is not None
    assert 0.6 <= remark.similarity < 1
    assert found.drops == {3: "near"}
    assert look(rows, threshold=0.95).remarks == []
    assert look(rows, threshold=None).remarks == []


def test_an_instruction_that_all_rows_share_makes_none_of_them_near() -> None:
    end = " Let's think step by step and output the final answer after the sign, as a number."
    rows = rows_of(*(f"{word} {word}ly?{end}" for word in ("Red", "Loud", "Quick", "Slow")))
    assert look(rows).remarks == []


def test_a_row_and_those_made_from_it_are_no_duplicates_of_one_another() -> None:
    rows = rows_of(STORY.format(price="9", days="7"), STORY.format(price="8", days="7"))
    rows[1].record["parent_id"] = "r1"
    assert look(rows).remarks == []


@pytest.mark.parametrize(
    ("keep", "stays"), [("first", 1), ("last", 3), ("longest", 2)], ids=lambda value: str(value)
)
def test_which_of_several_duplicates_stays_is_the_user_s_choice(keep: Any, stays: int) -> None:
    found = look(rows_of("It?", "It?  ", "IT?"), keep=keep, threshold=None)
    assert {1, 2, 3} - set(found.drops) == {stays}


def test_a_question_of_another_file_and_a_family_across_files_are_overlaps() -> None:
    train = rows_of("One?", "Two?", "Three?")
    train[2].record["parent_id"] = "r9"
    test = [row(1, "two?", "#### 7"), row(9, "Something")]
    found = look(train, test, drop=frozenset({"overlap"}), threshold=None)
    assert told(found) == [("overlap", 2, ("file1", 1)), ("overlap", 3, ("file1", 9))]
    assert [each.detail for each in found.remarks] == [
        "the same question with another answer",
        "a row of the same family",
    ]
    assert found.drops == {2: "overlap", 3: "overlap"}


@pytest.mark.parametrize(
    ("reference", "detail"),
    [
        ("<<192*100=1920>>1920\n#### 1920", "mark: 192*100 = 19200, the mark says 1920"),
        ("<<2+2=4>>5\n#### 4", "printed: the mark says 4, the text behind it 5"),
        ("So 3 + 4 = 8 in all.\n#### 8", "sum: 3 + 4 = 7, the text says 8"),
        (
            "<<2+2=4>>4\n#### 9",
            "final: the last mark says 2+2 = 4, the final number 9 is nowhere in the solution",
        ),
    ],
)
def test_a_reference_that_contradicts_itself_is_shown_with_line_and_recomputation(
    reference: str, detail: str
) -> None:
    found = look(rows_of("Who?", ("What?", reference)), drop=frozenset({"mislabelled"}))
    (remark,) = found.remarks
    assert (remark.kind, remark.line, remark.detail) == ("mislabelled", 2, detail)
    assert found.drops == {2: "mislabelled"}


def test_two_answers_in_one_record_contradict_each_other() -> None:
    (remark,) = look([row(1, "Eggs?", SUM, ground_truth="241")], threshold=None).remarks
    assert remark.detail == "answers: 241 beside a solution that ends in 240"


@pytest.mark.parametrize(
    "reference",
    [
        SUM,
        "10/3 = <<10/3=3.33>>3.33\n#### 3.33",
        "A quarter is 1/4 = 25%.\n#### 25",
        "It is 5 + x = 8, so 3.\n#### 3",
        "From 2:30 to 4:00 is 1.5 hours.\n#### 1.5",
        "blue",
    ],
)
def test_rounding_other_units_and_letters_are_no_mistakes(reference: str) -> None:
    assert look([row(1, "Eggs?", reference)], threshold=None).remarks == []


def test_a_mark_that_is_no_arithmetic_is_told_apart() -> None:
    found = look(
        rows_of(("What?", "<<x=1>>1\n#### 1")), drop=frozenset({"not-executable"}), threshold=None
    )
    assert [each.kind for each in found.remarks] == ["not-executable"]
    assert found.drops == {1: "not-executable"}


@pytest.mark.parametrize(
    ("question", "reference", "is_leak"),
    [
        ("Eggs? The answer is 240.", SUM, True),
        ("Eggs? #### 240", SUM, True),
        ("Eggs? \\boxed{240}", SUM, True),
        ("Eggs? The answer is 2405.", SUM, False),
        ("He has 240 eggs. How many?", SUM, False),
        ("Is it red or blue?", "blue", False),
        ("Say: the sky is blue today", "the sky is blue today", True),
    ],
)
def test_a_prompt_that_gives_its_answer_away_is_a_leak(
    question: str, reference: str, is_leak: bool
) -> None:
    found = look([row(1, question, reference)], drop=frozenset({"leak"}), threshold=None)
    assert [each.kind for each in found.remarks] == ["leak"] * is_leak
    assert found.drops == ({1: "leak"} if is_leak else {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301", "café"),
        ("a\u00a0b\u200b  c \r\nd", "a b c\nd"),
        ("\n\nx\n\n", "x"),
        ("    indented  code", "    indented  code"),
        ("| a  | b |", "| a  | b |"),
        ("x² + ½", "x² + ½"),
    ],
)
def test_a_text_in_normal_form_means_what_it_meant(text: str, expected: str) -> None:
    assert normalised(text) == expected


def test_compatible_characters_are_folded_on_request_alone() -> None:
    assert normalised("x²", nfkc=True) == "x2"


@given(st.text(), st.booleans())
def test_normalising_twice_changes_nothing_more(text: str, nfkc: bool) -> None:
    once = normalised(text, nfkc=nfkc)
    assert normalised(once, nfkc=nfkc) == once
    assert normalised_reference(normalised_reference(text)) == normalised_reference(text)


def test_the_cleaned_file_and_its_manifest(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = rows_of("What\u00a0is it?", "Who?", "what is it?", ("Sum?", "<<2+2=5>>5\n#### 5"))
    source.write_text("".join(json.dumps(each.record) + "\n" for each in rows))
    _, found = clean_file(source, out, threshold=None)
    assert [each.record["id"] for each in read(out)] == ["r1", "r2", "r4"]
    assert next(read(out)).record["messages"][0]["content"] == "What is it?"
    manifest = json.loads(manifest_path(out).read_text())
    assert manifest["rows"] == {"in": 4, "out": 3, "dropped": 1}
    (drop,) = manifest["drops"]
    assert (drop["reason"], drop["lines"]) == ("the question and answer of another row", [3])
    assert manifest["notes"]["rewritten"] == 1
    assert manifest["notes"]["found"] == {"mislabelled": 1, "exact": 1}
    assert manifest["notes"]["remarks"] == [each.as_json() for each in found.remarks]


def test_without_the_library_near_duplicates_give_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(DataError, match="datasketch") as error:
        look(rows_of("What?"))
    assert "pip install 'bedrock-rft-sim[data]'" in str(error.value)
    assert look(rows_of("What?"), threshold=None).remarks == []


def test_the_mistakes_of_gsm8k_are_told_from_what_only_looks_like_one(gsm8k_folder: Path) -> None:
    wrong = [168, 169, 199, 357, 503, 717, 1155, 2771, 3003, 4692, 4974, 6761, 6813, 7445]
    right = [624, 2683, 3234, 3395, 5397, 6499, 7076, *range(1, 168)]
    with (gsm8k_folder / "train.jsonl").open(encoding="utf-8") as file:
        taken = {line: json.loads(text) for line, text in enumerate(file, 1)}
    rows = [row(line, taken[line]["question"], taken[line]["answer"]) for line in wrong + right]
    found = look(rows, threshold=None)
    assert {each.line for each in found.remarks if each.kind == "mislabelled"} == set(wrong)
    details = {each.line: each.detail for each in found.remarks}
    assert details[168] == "sum: 192*100 = 19200, the text says $1920"
    assert details[6813] == "sum: 50-8 = 42, the text says 44"


def test_a_crowd_of_near_duplicates_is_known_by_its_first_members() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    rows = rows_of(*(f"{n * 7} of {words} is {n * 11}" for n in range(200)))
    index = Index(threshold=0.6)
    for each in rows:
        assert list(index.add(each, 0, Frame(0, 0))) == []
    assert index._near is not None
    assert max(map(len, index._near._more.values())) <= MOST_CANDIDATES
    near = {pair.second[1] for pair in index.verified([lambda: rows], [Frame(0, 0)])}
    assert near == set(range(2, 201))


def test_a_question_with_thousands_of_answers_is_compared_with_the_first_of_each() -> None:
    rows = rows_of(*(("What is it?", f"#### {n % 3000}") for n in range(6000)))
    found = look(rows, threshold=None)
    assert found.counts == {"contradiction": 2999, "exact": 3000}
    assert found.remarks[-1].other == ("file0", 3000)


def test_near_may_mean_the_same() -> None:
    rows = rows_of("A man has two red hats", "A man has two red hats!", "Who?")
    found = look(rows, threshold=1.0)
    assert found.counts == {"near": 1}
