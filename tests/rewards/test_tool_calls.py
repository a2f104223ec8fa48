from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import tool_calls


def call(name, /, **arguments):
    return {"name": name, "arguments": arguments}


BOOK = [call("find", city="Rome", nights=2), call("book", room=7, name="Ada")]


@pytest.fixture
def grade(graded):
    def run(answer, reference=None, **options):
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return graded(tool_calls, text, reference or {"calls": BOOK}, **options)

    return run


FIND, PAY = BOOK[0], call("pay", amount=5)


@pytest.mark.parametrize(
    ("calls", "score"),
    [
        (BOOK, 1.0),
        ([call("find", nights=2.0, city="Rome"), BOOK[1]], 1.0),
        ([FIND], 0.8 * 1 / 2),
        ([FIND, call("book", room=8, name="Ada")], 0.8 * 1.5 / 2),
        ([FIND, call("book", room=7)], 0.8 * 1.5 / 2),
        ([FIND, call("book", room=7, name="Ada", floor=1, view=True)], 0.8 * 1.5 / 2),
        ([FIND, call("book", room="7", name="ada")], 0.8 * 1 / 2),
        ([FIND, call("book")], 0.8 * 1 / 2),
        ([FIND, call("Book", room=7, name="Ada")], 0.8 * 1 / 2),
        ([*BOOK, PAY], 0.8 * 2 / 3),
        ([PAY, *BOOK, PAY], 0.8 * 2 / 4),
        ([FIND, FIND, BOOK[1]], 0.8 * 2 / 3),
        (BOOK[::-1], 0.8 * 1 / 2),
        ([call("find"), call("book")], 0.0),  # names alone
        ([call("book", city="Rome", nights=2), call("find", room=7, name="Ada")], 0.0),
        ([PAY], 0.0),
        ([], 0.0),
    ],
)
def test_names_arguments_and_order_decide(grade, calls, score):
    assert grade(calls)[0] == pytest.approx(score)


def test_partial_scores_can_be_forbidden(grade, monkeypatch):
    monkeypatch.setenv("TOOL_CALLS_PARTIAL", "off")
    assert grade(BOOK)[0] == 1.0
    assert grade(BOOK[:1])[0] == 0.0
    monkeypatch.setenv("TOOL_CALLS_PARTIAL", "some")
    with pytest.raises(ValueError, match="TOOL_CALLS_PARTIAL is 'some', expected on or off"):
        grade(BOOK)


def test_order_does_not_matter_where_the_reference_says_so(grade):
    free = {"calls": BOOK, "ordered": False}
    assert grade(BOOK[::-1], free)[0] == 1.0
    assert grade(BOOK[1:], free)[0] == pytest.approx(0.4)
    assert grade([BOOK[1], BOOK[1]], free)[0] == pytest.approx(0.4)


ONE = call("find", city="Rome", nights=2)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(ONE),
        json.dumps([ONE]),
        f"```json\n{json.dumps(ONE)}\n```",
        f"Look it up.\n```\n{json.dumps([ONE])}\n```\n",
        f"I think {{so}}.\n<tool_call>\n{json.dumps(ONE)}\n</tool_call>\n",
        f"<tool_call>{json.dumps(ONE)}",  # the end tag is often a stop token
        json.dumps({"name": "find", "parameters": ONE["arguments"]}),
        json.dumps({"toolUse": {"toolUseId": "t", "name": "find", "input": ONE["arguments"]}}),
        json.dumps(
            {"type": "function", "function": {**ONE, "arguments": json.dumps(ONE["arguments"])}}
        ),
    ],
)
def test_a_call_is_read_in_every_common_form(grade, answer):
    assert grade(answer, {"calls": [ONE]})[0] == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        f"The call is {json.dumps(ONE)}",
        f"{json.dumps(ONE)}\n{json.dumps(ONE)}",
        f"```\n{json.dumps(ONE)}\n```\n```\n{json.dumps(PAY)}\n```",
        '{"name": "find", "arguments": {"city": "Rome", "city": "Rome", "nights": 2}}',
        '{"name": "find", "arguments": {"city": "Rome", "nights": NaN}}',
        '{"name": "find", "arguments": ["Rome", 2]}',
        '{"arguments": {"city": "Rome", "nights": 2}}',
        '{"name": "", "arguments": {}}',
        '"find"',
        "find(city='Rome', nights=2)",
        json.dumps([ONE] * 33),
        json.dumps([ONE]) + " " * 20_000,
        '{"name": "find", "arguments": {"city": ' + "[" * 40 + "]" * 40 + "}}",
        '{"name": "find", "arguments": {"city": ' + "[" * 9000 + "]" * 9000 + "}}",
        f"<tool_call>{json.dumps(ONE)}</tool_call><tool_call>broken</tool_call>",
    ],
)
def test_what_is_no_list_of_calls_earns_nothing(grade, answer):
    score, parts = grade(answer, {"calls": [ONE]})
    assert score == 0.0
    assert parts["calls_found"] == 0.0


@pytest.mark.parametrize(
    ("wanted", "given", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (1, "1", False),
        ({"a": [1.0, {"b": 2}]}, {"a": [1, {"b": 2.0}]}, True),
        ([1, 2], [2, 1], False),
        ("Rome", "rome", False),
        (None, "", False),
        (12345678901234567890, 12345678901234567891, False),
    ],
)
def test_values_are_compared_as_in_json(grade, wanted, given, same):
    earned = grade([call("f", x=given)], {"calls": [call("f", x=wanted)]})[0]
    assert earned == (1.0 if same else 0.0)


@pytest.mark.parametrize(
    "reference",
    [
        ONE,
        {"calls": [ONE]},
        {"calls": ONE},
        {"tool_calls": [{"function": ONE}]},
        json.dumps(ONE),
        json.dumps([ONE]),
        json.dumps({"calls": [ONE]}),
        {"text": json.dumps([ONE])},
    ],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade([ONE], reference, profile=profile)[0] == 1.0, profile
        assert grade([PAY], reference, profile=profile)[0] == 0.0, profile


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"calls": []}, "it holds no call"),
        ({"calls": [{"arguments": {}}]}, "expected a call with a name"),
        ({"calls": [call("f")] * 33}, "33 calls, expected 32 at most"),
        ("find the hotel", "unreadable reference"),
    ],
)
def test_a_reference_without_calls_raises_and_says_why(grade, reference, message):
    with pytest.raises(ValueError, match="sample 's1': unreadable reference") as caught:
        grade([ONE], reference)
    assert message in str(caught.value)


def test_components_say_what_was_right(grade):
    _, parts = grade([FIND, call("book", room=8, name="Ada")])
    assert parts == {
        "calls_equal": 0.0,
        "calls_matched": 0.75,
        "names_equal": 1.0,
        "calls_found": 1.0,
    }
    assert grade(BOOK)[1] == dict.fromkeys(parts, 1.0)
    assert grade("none")[1] == dict.fromkeys(parts, 0.0)


values = st.one_of(st.integers(0, 2), st.sampled_from(["a", "b"]), st.none(), st.booleans())
lists = st.lists(
    st.builds(
        lambda name, arguments: call(name, **arguments),
        st.sampled_from(["f", "g"]),
        st.dictionaries(st.sampled_from(["x", "y"]), values),
    ),
    min_size=1,
    max_size=5,
)


@given(lists, lists)
def test_full_score_means_equal_and_all_else_stays_below_it(calls, wanted):
    def score(reference):
        turn = {"role": "assistant", "content": json.dumps(calls)}
        sample = {"id": "a", "messages": [turn], "reference_answer": reference}
        return tool_calls.grade(sample)["aggregate_reward_score"]

    in_order, free = score({"calls": wanted}), score({"calls": wanted, "ordered": False})
    assert in_order == 1.0 or 0.0 <= in_order <= 0.8
    assert free == 1.0 or 0.0 <= free <= 0.8
    assert (in_order == 1.0) == (repr(calls) == repr(wanted) or _sorted(calls) == _sorted(wanted))
    assert free == 1.0 or in_order < 1.0
    assert score({"calls": calls}) == 1.0


def _sorted(calls):
    return [json.dumps(each, sort_keys=True) for each in calls]
