"""Chat completions and responses through the OpenAI SDK: base, tuned and checkpoint models."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError, InternalServerError, NotFoundError, OpenAI

from bedrock_rft_sim.server.state import ServerState

BASE = "openai.gpt-oss-20b"
TEXT = "Tom has 3 apples and buys 4 more. How many apples has he?"
MESSAGES: Any = [{"role": "user", "content": TEXT}]


def greedy(client: OpenAI, **others: Any) -> Any:
    asked = {"model": BASE, "messages": MESSAGES, "temperature": 0, "max_tokens": 48, **others}
    return client.chat.completions.create(**asked)


def test_base_tuned_and_checkpoint_model_answer(client: OpenAI, finished: Any) -> None:
    checkpoint = f"{finished.fine_tuned_model}:ckpt-step-2"
    names = (BASE, finished.fine_tuned_model, checkpoint)
    answers = [greedy(client, model=name) for name in names]
    assert [answer.model for answer in answers] == list(names)
    # The stub's tuned model is the embedded one.
    assert len({answer.choices[0].message.content for answer in answers}) == 1
    first = answers[0]
    assert first.object == "chat.completion"
    assert first.choices[0].finish_reason == "stop"
    assert first.choices[0].message.content
    assert first.usage.total_tokens == first.usage.prompt_tokens + first.usage.completion_tokens


def test_chat_streams_the_same_answer_in_pieces(client: OpenAI) -> None:
    whole = greedy(client)
    chunks = list(greedy(client, stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(filter(None, pieces)) == whole.choices[0].message.content
    assert len(pieces) > 5
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in greedy(client, stream=True))


def test_the_limit_the_stop_and_the_seed_are_honoured(client: OpenAI) -> None:
    assert greedy(client, max_tokens=3).choices[0].finish_reason == "length"
    whole = greedy(client).choices[0].message.content
    stopped = greedy(client, stop=[whole[5:8]]).choices[0]
    assert (stopped.finish_reason, stopped.message.content) == ("stop", whole[:5])
    first, second = (greedy(client, temperature=1, seed=4, top_p=0.9) for _ in range(2))
    assert first.choices[0].message.content == second.choices[0].message.content


def test_system_texts_and_parts_reach_the_model(client: OpenAI) -> None:
    plain = greedy(client, messages=[{"role": "system", "content": "Be brief."}, *MESSAGES])
    parts = [{"type": "text", "text": TEXT[:10]}, {"type": "text", "text": TEXT[10:]}]
    developer = {"role": "developer", "content": "Be brief."}
    same = greedy(client, messages=[developer, {"role": "user", "content": parts}])
    assert plain.choices == same.choices
    assert plain.usage.prompt_tokens > greedy(client).usage.prompt_tokens


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"top_k": 5}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": "x"}, "top_p"),
        ({"stop": [""]}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"seed": 1.5}, "seed"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_is_not_simulated_or_wrong_is_refused_by_name(
    client: OpenAI, extra: dict[str, Any], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        greedy(client, extra_body=extra)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


def test_neutral_and_harmless_parameters_are_taken(client: OpenAI) -> None:
    neutral: dict[str, Any] = {
        "n": 1,
        "frequency_penalty": 0.0,
        "response_format": {"type": "text"},
        "tools": [],
        "logprobs": False,
        "user": "me",
        "metadata": {"a": "b"},
        "reasoning_effort": "low",
        "stop": None,
    }
    assert greedy(client, **neutral).choices == greedy(client).choices


def test_a_conversation_that_is_too_long_is_refused_also_when_streamed(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError, match="whole context"):
            greedy(client, messages=[{"role": "user", "content": "a " * 3000}], stream=stream)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "tiny",
        "../../etc",
        "ft:openai.gpt-oss-20b:local::00000000-0000-4000-8000-000000000000",
        "amazon.nova-2-lite-v1:0:256k",
    ],
)
def test_a_model_that_is_not_there_is_named(client: OpenAI, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        greedy(client, model=name)
    assert caught.value.code == "model_not_found"
    with pytest.raises(NotFoundError):
        client.responses.create(model=name, input="x")


def test_a_tuned_model_of_another_base_or_step_is_not_there(client: OpenAI, finished: Any) -> None:
    tuned = finished.fine_tuned_model
    for name in (f"{tuned}:ckpt-step-9", tuned.replace("openai.gpt-oss-20b", "qwen.qwen3-32b")):
        with pytest.raises(NotFoundError):
            greedy(client, model=name)


def test_a_model_that_cannot_be_loaded_is_a_server_error(
    client: OpenAI, mantle_state: ServerState, finished: Any
) -> None:
    job_id = finished.id.removeprefix("ftjob-")
    folder = mantle_state.jobs.get(job_id).folder / "checkpoints" / "step-000007"
    folder.mkdir()
    with pytest.raises(InternalServerError, match="tokenizer can't be loaded"):
        greedy(client, model=f"{finished.fine_tuned_model}:ckpt-step-7")
    folder.rmdir()


def test_models_are_listed_and_found(client: OpenAI, finished: Any) -> None:
    names = [model.id for model in client.models.list()]
    checkpoint = f"{finished.fine_tuned_model}:ckpt-step-3"
    for name in (BASE, finished.fine_tuned_model, checkpoint):
        assert name in names
        assert client.models.retrieve(name).id == name
    with pytest.raises(NotFoundError):
        client.models.retrieve("gpt-4o")


# The Responses API


def respond(client: OpenAI, **others: Any) -> Any:
    asked = {"model": BASE, "input": TEXT, "temperature": 0, "max_output_tokens": 48, **others}
    return client.responses.create(**asked)


def test_a_response_is_the_chat_answer(client: OpenAI, finished: Any) -> None:
    expected = greedy(client)
    for model in (BASE, finished.fine_tuned_model):
        response = respond(client, model=model)
        assert response.output_text == expected.choices[0].message.content
        assert response.status == "completed"
        assert response.usage.output_tokens == expected.usage.completion_tokens
    short = respond(client, max_output_tokens=3)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_instructions_and_messages_reach_the_model(client: OpenAI) -> None:
    parts = [{"type": "input_text", "text": TEXT}]
    one = respond(client, instructions="Be brief.", reasoning={"effort": "low"})
    two = respond(
        client,
        input=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}],
    )
    assert one.output_text == two.output_text
    assert one.usage.input_tokens == two.usage.input_tokens


def test_a_response_streams_the_events_of_the_api_in_order(client: OpenAI) -> None:
    events = list(respond(client, stream=True))
    kinds = [event.type for event in events]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(deltas) == events[-1].response.output_text == respond(client).output_text
    assert len(deltas) > 5


def test_the_sdks_own_stream_helper_understands_it(client: OpenAI) -> None:
    with client.responses.stream(model=BASE, input=TEXT, temperature=0) as stream:
        stream.until_done()
        assert stream.get_final_response().output_text == respond(client).output_text


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": []}, "input"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0]"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"stop": ["x"]}, "stop"),
        ({"background": True}, "background"),
    ],
)
def test_what_a_response_cannot_do_is_refused_by_name(
    client: OpenAI, extra: dict[str, Any], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        respond(client, extra_body=extra)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 5000]
)
def test_a_body_that_is_no_object_is_refused(client: OpenAI, mantle_url: str, body: bytes) -> None:
    import httpx2

    answer = httpx2.post(f"{mantle_url}/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_paths_work_without_v1(mantle_url: str) -> None:
    with OpenAI(base_url=mantle_url, api_key="local", max_retries=0) as bare:
        assert greedy(bare).choices[0].message.content
