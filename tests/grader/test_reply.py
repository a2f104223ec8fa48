from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.errors import ResponseError
from bedrock_rft_sim.grader import Grade
from bedrock_rft_sim.grader.reply import API_GATEWAY_FORM, Reply, ResultIdError, read_reply
from bedrock_rft_sim.grader.samples import Component


def result(sample_id, score=1.0, **more):
    return {"id": sample_id, "aggregate_reward_score": score, **more}


def refuse(reply, ids=("a", "b")):
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    with pytest.raises(ResponseError) as caught:
        read_reply(body, ids)
    return caught.value


def test_results_become_grades_in_the_order_of_the_samples():
    body = json.dumps([result("b", 0), result("a", 0.5)]).encode()
    assert read_reply(body, ["a", "b"]).grades == (Grade("a", 0.5), Grade("b", 0.0))


def test_components_are_kept_and_extra_keys_tolerated():
    metrics = [{"name": "accuracy", "value": 1, "type": "Reward", "unit": "share"}]
    body = json.dumps([result("a", metrics_list=metrics, score=3, reward_components={})]).encode()
    (grade,) = read_reply(body, ["a"]).grades
    assert grade.components == (Component("accuracy", 1.0, "Reward"),)


def test_a_null_metrics_list_means_none():
    body = json.dumps([result("a", metrics_list=None)]).encode()
    assert read_reply(body, ["a"]) == Reply((Grade("a", 1.0),))


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (None, "the handler returned None"),
        ({"body": "[]"}, "without API Gateway: return the list itself"),
        (result("a"), "return a list, even for one sample"),
        ({"results": []}, 'return [{"id": sample["id"], "aggregate_reward_score": 1.0}, ...]'),
        ("fine", 'return [{"id"'),
        (0.5, 'return [{"id"'),
    ],
)
def test_a_reply_that_is_no_list_is_refused_with_a_way_out(reply, hint):
    error = refuse(reply)
    assert error.what == "the reply is not a list of results"
    assert error.where == "response"
    assert hint in error.hint


@pytest.mark.parametrize("body", [[result("a")], json.dumps([result("a")])])
def test_an_api_gateway_reply_is_read_with_a_warning(body):
    reply = {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}
    expected = Reply((Grade("a", 1.0),), (API_GATEWAY_FORM,))
    assert read_reply(json.dumps(reply).encode(), ["a"]) == expected


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ({"statusCode": 500, "body": "[]"}, "another status than 200"),
        ({"statusCode": None, "body": []}, "another status than 200"),
        ({"statusCode": 200, "body": "oops"}, "the reply's body is not JSON"),
        ({"statusCode": 200, "body": {"a": 1}}, "the reply's body is not a list of results"),
        ({"statusCode": 200, "body": "[]"}, "2 of 2 samples have no result"),
    ],
)
def test_an_api_gateway_reply_without_a_list_of_results_is_refused(reply, what):
    assert what in refuse(reply).what


@pytest.mark.parametrize(
    "results",
    [
        [result("x")],
        [result("a")] * 2,
        [result("a")],
        [{"aggregate_reward_score": 1.0}],
        [result("a"), result("b"), result("c")],
    ],
)
def test_results_that_can_not_be_matched_to_samples_are_a_kind_of_their_own(results):
    assert isinstance(refuse(results), ResultIdError)


@pytest.mark.parametrize("body", [b"", b"oops", b"[" * 100_000, b"\xff\xfe", b"9" * 5000 + b"}"])
def test_a_reply_that_is_no_json_is_refused(body):
    assert "the reply is not JSON" in refuse(body).what


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_score_that_is_not_finite_is_refused_with_its_id(score):
    error = refuse(f'[{{"id":"a","aggregate_reward_score":{score}}}]'.encode(), ids=["a"])
    assert error.what == "aggregate_reward_score is not a finite number"
    assert error.where == "response, id 'a'"


@pytest.mark.parametrize(
    ("score", "kind"),
    [("0.5", "str"), (True, "bool"), (None, "NoneType"), ([1.0], "list"), ({"value": 1}, "dict")],
)
def test_a_score_that_is_no_number_is_refused_with_its_id(score, kind):
    error = refuse([result("a", score)], ids=["a"])
    assert error.where == "response, id 'a'"
    assert error.found == f"{json.dumps(score) if score != '0.5' else repr(score)} ({kind})"


def test_a_missing_score_is_named_with_the_keys_that_are_there():
    error = refuse([{"id": "a", "score": 1.0}], ids=["a"])
    assert (error.what, error.expected) == ("the result has no score", "aggregate_reward_score")
    assert error.found == "the keys 'id', 'score'"


def test_too_few_results_name_the_ids_without_one():
    error = refuse([result("a")])
    assert error.what == "1 of 2 samples have no result"
    assert error.found == "no result for 'b'"
    assert refuse([], ids=[*"abcdef"]).found == "no result for 'a', 'b', 'c' and 3 more"


def test_an_unknown_id_is_refused_with_the_ids_that_were_sent():
    error = refuse([result("a"), result("unknown")])
    assert error.what == "result 1 carries an id that was not sent"
    assert (error.expected, error.found) == ("one of 'a', 'b'", "'unknown'")


@pytest.mark.parametrize("sample_id", [1, None, ["a"], {}])
def test_an_id_must_be_the_string_that_was_sent(sample_id):
    assert "an id that was not sent" in refuse([result(sample_id)]).what


def test_two_results_for_one_sample_are_refused():
    error = refuse([result("a"), result("a"), result("b")])
    assert (error.what, error.where) == ("two results carry the same id", "response, id 'a'")


def test_a_result_without_id_or_that_is_no_object_is_refused():
    assert refuse([{"aggregate_reward_score": 1}]).what == "result 0 has no id"
    assert refuse([result("a"), 0.5]).what == "result 1 is not an object"


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "accuracy", "value": 1.0},
        {"name": "accuracy", "value": 1.0, "type": "reward"},
        {"name": "accuracy", "value": "1.0", "type": "Reward"},
        {"name": "accuracy", "value": True, "type": "Reward"},
        {"name": "accuracy", "type": "Reward"},
        {"name": "", "value": 1.0, "type": "Reward"},
        {"name": "accuracy", "value": 1.0, "type": ["Reward"]},
        "accuracy",
    ],
)
def test_a_malformed_component_is_refused(entry):
    error = refuse([result("a", metrics_list=[entry])], ids=["a"])
    assert error.what == "an entry of metrics_list is not well-formed"
    assert error.where == "response, id 'a'"


def test_a_metrics_list_that_is_no_list_is_refused():
    error = refuse([result("a", metrics_list={"accuracy": 1.0})], ids=["a"])
    assert error.what == "metrics_list is not a list"


def test_a_long_reply_is_shown_in_part():
    error = refuse("x" * 10_000)
    assert len(error.found) < 200
    assert "(10,002 characters)" in error.found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_no_reply_whatever_gets_past_the_border_but_as_grades_or_a_response_error(reply):
    try:
        grades = read_reply(json.dumps(reply).encode(), ["a"]).grades
    except ResponseError:
        return
    assert [grade.id for grade in grades] == ["a"]
