"""The endpoint's faults over real sockets: tried again, then reported, never graded."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from bedrock_rft_sim.data import Row, row_from_record
from bedrock_rft_sim.errors import EndpointError
from bedrock_rft_sim.probe.endpoint import ATTEMPTS, GIVE_UP_AFTER, Endpoint
from bedrock_rft_sim.probe.sample import GivenUpError, ProbeSample

KEY = "sk-very-secret"


def row(name: str = "a") -> Row:
    record = {"id": name, "messages": [{"role": "user", "content": "What is 1 + 2?"}]}
    return row_from_record(record, source="test", line=1)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def endpoint(stand_in: Any, pauses: list[float]) -> Callable[..., Endpoint]:
    def make(**changes: Any) -> Endpoint:
        values: dict[str, Any] = {
            "url": stand_in.url,
            "model": "some-model",
            "key": KEY,
            "max_tokens": 64,
            "temperature": 1.0,
            "top_p": 1.0,
            "reasoning_effort": None,
            "samples": 1,
            "timeout_s": 20.0,
            "sleep": pauses.append,
        }
        return Endpoint(**{**values, **changes})

    return make


def ask(endpoint: Endpoint, rows: list[Row] | None = None) -> list[ProbeSample]:
    found = endpoint.samples_of(rows or [row()], lambda _prompt, _sample: True)
    return [reply for replies in found for reply in replies]


def test_a_request_is_a_chat_completion_with_the_recipe_s_sampling(stand_in, endpoint) -> None:
    (reply,) = ask(endpoint())
    (request,) = stand_in.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    assert request["messages"] == [{"role": "user", "content": "What is 1 + 2?"}]
    assert (request["model"], request["max_tokens"], request["temperature"]) == (
        "some-model",
        64,
        1.0,
    )
    assert "reasoning_effort" not in request
    assert (reply.text, reply.tokens, reply.prompt_tokens, reply.stop_reason) == (
        "#### 3",
        5,
        7,
        "stop",
    )


@pytest.mark.parametrize(
    "trouble",
    [
        lambda s: s.answer("busy", status=500),
        lambda s: s.answer("busy", status=503),
        lambda s: s.answer({"choices": []}),
        lambda s: s.answer({"choices": None}),
        lambda s: s.answer({}),
        lambda s: s.answer("{not json"),
        lambda s: s.answer("[]"),
        lambda s: s.answer(s.completion(None, reason=None)),
        lambda s: s.truncated,
        lambda s: s.reset,
    ],
    ids=[
        "500",
        "503",
        "empty choices",
        "null choices",
        "no choices",
        "malformed",
        "a list",
        "unfinished",
        "truncated",
        "reset",
    ],
)
def test_a_fault_that_passes_is_waited_out(trouble, stand_in, endpoint, pauses) -> None:
    stand_in.script = [trouble(stand_in)] * 2
    (reply,) = ask(endpoint())
    assert (reply.text, reply.fault) == ("#### 3", None)
    assert pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (lambda s: s.answer("busy", status=503), "status 503 busy"),
        (lambda s: s.answer({"choices": []}), "no choices"),
        (lambda s: s.answer("<html>"), "no JSON"),
        (lambda s: s.truncated, "cut short"),
    ],
)
def test_a_fault_that_stays_is_reported_and_has_no_text(
    trouble, words, stand_in, endpoint, pauses
) -> None:
    stand_in.otherwise = trouble(stand_in)
    (reply,) = ask(endpoint())
    assert reply.text is None
    assert words in reply.fault
    assert f"({ATTEMPTS} attempts)" in reply.fault
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_slow_endpoint_is_given_up_at_the_time_limit(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.hang
    (reply,) = ask(endpoint(timeout_s=0.05))
    assert reply.text is None
    assert "no answer within 0.05 s" in reply.fault


def test_retry_after_in_seconds_is_respected(stand_in, endpoint, pauses) -> None:
    stand_in.script = [stand_in.answer("slow down", status=429, headers={"Retry-After": "17"})]
    (reply,) = ask(endpoint())
    assert reply.text == "#### 3"
    assert pauses == [17.0]


def test_retry_after_as_a_date_is_respected(stand_in, endpoint, pauses) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    stand_in.script = [stand_in.answer("slow down", status=429, headers={"Retry-After": when})]
    ask(endpoint())
    assert 50 < pauses[0] <= 60


def test_retry_after_in_decimals_is_respected(stand_in, endpoint, pauses) -> None:
    stand_in.script = [stand_in.answer("slow down", status=429, headers={"Retry-After": "2.5"})]
    ask(endpoint())
    assert pauses == [2.5]


@pytest.mark.parametrize("asked", ["0", "0.5", "-3", "nan", "soon"])
def test_a_wait_shorter_than_our_own_pause_is_not_taken_at_its_word(
    asked, stand_in, endpoint, pauses
) -> None:
    limited = stand_in.answer("slow down", status=429, headers={"Retry-After": asked})
    stand_in.script = [limited] * 3
    ask(endpoint())
    assert pauses == [1.0, 2.0, 4.0]


def test_a_rate_limit_without_a_word_is_waited_out_for_longer_than_a_minute(
    stand_in, endpoint, pauses
) -> None:
    stand_in.otherwise = stand_in.answer("slow down", status=429)
    (reply,) = ask(endpoint())
    assert "status 429 slow down (8 attempts)" in reply.fault
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]


def test_an_endpoint_that_asks_for_an_hour_is_reported_instead(stand_in, endpoint, pauses) -> None:
    stand_in.otherwise = stand_in.answer("later", status=429, headers={"Retry-After": "3600"})
    (reply,) = ask(endpoint())
    assert "asks to wait 3600 s" in reply.fault
    assert pauses == []


def test_a_request_that_is_wrong_in_itself_is_not_repeated(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer("prompt too long", status=400)
    (reply,) = ask(endpoint())
    assert reply.fault == "status 400 prompt too long"
    assert len(stand_in.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_address_ends_the_probe_without_showing_the_key(
    status, stand_in, endpoint
) -> None:
    stand_in.otherwise = stand_in.answer(f"bad key {KEY}", status=status)
    with pytest.raises(EndpointError, match=str(status)) as caught:
        ask(endpoint())
    assert KEY not in str(caught.value)


def test_a_fault_never_shows_the_key(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(f"unlucky {KEY}", status=400)
    (reply,) = ask(endpoint())
    assert reply.fault == "status 400 unlucky ***"


@pytest.mark.parametrize("before", [0, 190, 195, 199, 250])
def test_no_part_of_the_key_is_left_where_the_body_is_cut(before, stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer("x" * before + KEY + "y" * 300, status=400)
    (reply,) = ask(endpoint())
    assert KEY[:4] not in reply.fault


def test_no_part_of_the_key_is_left_where_reading_ends(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(" " * (65_536 - 6) + KEY, status=400)
    (reply,) = ask(endpoint())
    assert reply.fault == "status 400"


def test_a_query_is_sent_after_the_path_and_its_values_are_never_shown(stand_in, endpoint) -> None:
    secret = "query-secret-value"
    asked = endpoint(url=f"{stand_in.url}?api-version=1&code={secret}")
    ask(asked)
    assert stand_in.requests[0]["path"] == f"/v1/chat/completions?api-version=1&code={secret}"
    stand_in.otherwise = stand_in.answer(f"wrong code {secret}", status=400)
    (reply,) = ask(asked)
    assert secret not in reply.fault + asked.shown
    stand_in.otherwise = stand_in.answer(f"wrong code {secret}", status=401)
    with pytest.raises(EndpointError) as caught:
        ask(asked)
    assert secret not in str(caught.value)
    assert "?api-version=***&code=***" in str(caught.value)


def test_a_redirect_is_not_followed_so_the_key_stays_here(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(
        "", status=302, headers={"Location": f"{stand_in.url}/elsewhere"}
    )
    (reply,) = ask(endpoint())
    assert f"status 302, which leads to {stand_in.url}/elsewhere" in reply.fault
    assert len(stand_in.requests) == 1


def until_given_up(
    endpoint: Endpoint, rows: list[Row], *, last: tuple[int, ...] = ()
) -> tuple[list[ProbeSample], str | None]:
    replies: list[ProbeSample] = []
    try:
        for found in endpoint.samples_of(rows, lambda _prompt, _sample: True, last=last):
            replies.extend(found)
    except GivenUpError as given_up:
        return replies, str(given_up)
    return replies, None


NINE = [row(str(number)) for number in range(9)]


def test_nobody_there_is_reported_and_after_a_few_prompts_given_up(endpoint) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    replies, words = until_given_up(endpoint(url=f"http://127.0.0.1:{port}/v1"), NINE)
    assert [reply.prompt for reply in replies] == list(range(GIVE_UP_AFTER))
    assert all("no connection" in reply.fault for reply in replies)
    assert words is not None
    assert "failed 3 prompts in a row, so the rest were not sent; the last time: no conn" in words


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_every_prompt_is_given_up(status, stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer("busy", status=status)
    replies, words = until_given_up(endpoint(), NINE)
    assert len(replies) == GIVE_UP_AFTER
    assert words is not None


@pytest.mark.parametrize(
    "trouble",
    [
        lambda s: s.answer("this prompt is not allowed", status=400),
        lambda s: s.answer(s.completion("", reason="content_filter")),
        lambda s: s.answer({"choices": []}),
    ],
    ids=["400", "content filter", "no choices"],
)
def test_what_is_refused_for_the_prompt_s_sake_stops_no_other_prompt(
    trouble, stand_in, endpoint
) -> None:
    stand_in.otherwise = trouble(stand_in)
    replies, words = until_given_up(endpoint(), NINE)
    assert (len(replies), words) == (9, None)


def test_prompts_that_failed_before_are_sampled_last(stand_in, endpoint) -> None:
    replies, _ = until_given_up(endpoint(), NINE[:5], last=(0, 2))
    assert [reply.prompt for reply in replies] == [1, 3, 4, 0, 2]


def test_an_answer_cut_before_it_began_is_an_empty_answer(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(stand_in.completion(None, reason="length", tokens=64))
    (reply,) = ask(endpoint())
    assert (reply.text, reply.stop_reason, reply.tokens) == ("", "length", 64)


def test_a_withheld_answer_is_no_answer(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(stand_in.completion("", reason="content_filter"))
    (reply,) = ask(endpoint())
    assert "content filter" in reply.fault


def test_a_refused_parameter_is_renamed_or_left_out_and_that_is_said(
    stand_in, endpoint, pauses
) -> None:
    stand_in.otherwise = stand_in.refusing("max_tokens", "top_p", "reasoning_effort")
    first, second = ask(endpoint(reasoning_effort="low"), [row("a"), row("b")])
    assert (first.text, first.fault) == ("#### 3", None)
    assert first.request_changes == [
        "max_tokens sent as max_completion_tokens",
        "top_p left out",
        "reasoning_effort left out",
    ]
    assert second.request_changes == first.request_changes
    assert len(stand_in.requests) == 5  # what was learnt from the first prompt holds for the second
    assert stand_in.requests[-1]["max_completion_tokens"] == 64
    assert {"max_tokens", "top_p", "reasoning_effort"}.isdisjoint(stand_in.requests[-1])
    assert pauses == []


def test_a_parameter_refused_by_both_its_names_is_a_fault(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.refusing("max_tokens", "max_completion_tokens")
    (reply,) = ask(endpoint())
    assert reply.fault == "status 400 Unsupported parameter: 'max_completion_tokens'"


def test_an_error_in_a_reply_of_status_200_is_told_in_the_provider_s_words(
    stand_in, endpoint, pauses
) -> None:
    busy = {"choices": None, "error": {"message": f"upstream is busy {KEY}", "code": 429}}
    stand_in.otherwise = stand_in.answer(busy)
    (reply,) = ask(endpoint())
    assert reply.fault == "the endpoint says: upstream is busy *** (429) (8 attempts)"
    stand_in.script = [stand_in.answer(busy)]
    stand_in.otherwise = stand_in.answer(stand_in.completion("#### 3"))
    (reply,) = ask(endpoint())
    assert reply.text == "#### 3"


def test_a_refusal_is_told_in_the_provider_s_words(stand_in, endpoint) -> None:
    error = {"error": {"message": "the prompt has 9000 tokens, 8192 fit", "param": "messages"}}
    stand_in.otherwise = stand_in.answer(error, status=400)
    (reply,) = ask(endpoint())
    assert reply.fault == "status 400 the prompt has 9000 tokens, 8192 fit"


def test_an_endpoint_that_counts_no_tokens_leaves_them_unknown(stand_in, endpoint) -> None:
    stand_in.otherwise = stand_in.answer(stand_in.completion("#### 3", tokens=None))
    (reply,) = ask(endpoint())
    assert (reply.tokens, reply.prompt_tokens) == (None, None)
