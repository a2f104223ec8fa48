"""Converse and InvokeModel through boto3: base models, custom models, deployments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from bedrock_rft_sim.server.inference import Models
from tests.server.conftest import Endpoint
from tests.server.shared_models import shared_models

NOVA = "amazon.nova-2-lite-v1:0:256k"
NOVA_ARN = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
GPT = "openai.gpt-oss-20b"
TEXT = "Tom has 3 apples and buys 4 more. How many apples has he?"
MESSAGES: Any = [{"role": "user", "content": [{"text": TEXT}]}]
GREEDY: Any = {"maxTokens": 48, "temperature": 0}
CHAT: Any = {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 48, "temperature": 0}


def converse(runtime: Any, **others: Any) -> Any:
    asked = {"modelId": NOVA, "messages": MESSAGES, "inferenceConfig": GREEDY, **others}
    return runtime.converse(**asked)


def text_of(reply: Any) -> str:
    text: str = reply["output"]["message"]["content"][0]["text"]
    return text


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def invoke(runtime: Any, body: dict[str, Any], *, model: str = NOVA) -> Any:
    return json.loads(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())


def test_base_and_deployed_model_converse(runtime: Any, tuned: dict[str, str]) -> None:
    replies = [
        converse(runtime, modelId=model) for model in (NOVA, NOVA_ARN, GPT, tuned["deployment"])
    ]
    # The stub's tuned model is the embedded one.
    assert len({text_of(reply) for reply in replies}) == 1
    reply = replies[0]
    assert text_of(reply)
    assert reply["stopReason"] == "end_turn"
    usage = reply["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert reply["metrics"]["latencyMs"] >= 0


def test_converse_streams_the_same_answer_in_events(runtime: Any, tuned: dict[str, str]) -> None:
    whole = converse(runtime)
    for model in (NOVA, tuned["deployment"]):
        stream = runtime.converse_stream(modelId=model, messages=MESSAGES, inferenceConfig=GREEDY)
        events = list(stream["stream"])
        kinds = [next(iter(event)) for event in events]
        assert kinds[0] == "messageStart"
        assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
        pieces = [each["contentBlockDelta"]["delta"]["text"] for each in events[1:-3]]
        assert len(pieces) > 5
        assert "".join(pieces) == text_of(whole)
        assert events[-2]["messageStop"]["stopReason"] == "end_turn"
        assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_limit_stop_and_system_are_honoured(runtime: Any) -> None:
    short = converse(runtime, inferenceConfig={**GREEDY, "maxTokens": 3})
    assert (short["stopReason"], short["usage"]["outputTokens"]) == ("max_tokens", 3)
    whole = converse(runtime)
    stop = text_of(whole)[5:8]
    stopped = converse(runtime, inferenceConfig={**GREEDY, "stopSequences": [stop]})
    assert (stopped["stopReason"], text_of(stopped)) == ("stop_sequence", text_of(whole)[:5])
    told = converse(runtime, system=[{"text": "Be brief."}])
    assert told["usage"]["inputTokens"] > whole["usage"]["inputTokens"]


def test_novas_own_fields_are_honoured(runtime: Any) -> None:
    # The likeliest token alone is the greedy answer.
    sure = {"inferenceConfig": {"topK": 1}, "reasoningConfig": {"type": "disabled"}}
    config = {"maxTokens": 48, "temperature": 1.0}
    reply = converse(runtime, inferenceConfig=config, additionalModelRequestFields=sure)
    assert text_of(reply) == text_of(converse(runtime))


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ({"toolConfig": {"tools": [{"cachePoint": {"type": "default"}}]}}, "toolConfig"),
        ({"guardrailConfig": {"guardrailIdentifier": "abc"}}, "guardrailConfig"),
        ({"additionalModelRequestFields": {"top_k": 3}}, "top_k"),
        ({"additionalModelRequestFields": {"inferenceConfig": {"topK": 129}}}, "topK"),
        ({"additionalModelResponseFieldPaths": ["/x"]}, "additionalModelResponseFieldPaths"),
        ({"inferenceConfig": {"temperature": 1.5}}, "inferenceConfig.temperature"),
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "start with a user"),
        ({"messages": MESSAGES * 2}, "alternate between user and assistant"),
        (
            {"messages": [*MESSAGES, {"role": "assistant", "content": [{"text": "x"}]}]},
            "not simulated",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"image": {"format": "png", "source": {"bytes": b"x"}}}],
                    }
                ]
            },
            "image is not simulated",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "a " * 3000}]}]}, "whole context"),
    ],
)
def test_what_is_not_simulated_or_wrong_is_a_validation_exception(
    runtime: Any, extra: dict[str, Any], word: str
) -> None:
    code, message = refused(converse, runtime=runtime, **extra)
    assert code == "ValidationException"
    assert word in message


def test_an_unknown_model_is_refused_as_bedrock_does(runtime: Any) -> None:
    code, message = refused(converse, runtime=runtime, modelId="amazon.nova-9")
    assert code == "ValidationException"
    assert message.startswith("The provided model identifier is invalid. Known are amazon.nova")
    arn = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghij12"
    assert refused(converse, runtime=runtime, modelId=arn)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("ask", ["converse", "invoke"])
def test_a_custom_model_answers_by_its_deployments_arn_only(
    runtime: Any, tuned: dict[str, str], ask: str
) -> None:
    def said(model: str) -> str:
        if ask == "converse":
            code, message = refused(converse, runtime=runtime, modelId=model)
        else:
            code, message = refused(invoke, runtime=runtime, body=CHAT, model=model)
        assert code == "ValidationException"
        return message

    for undeployed in (tuned["undeployed"], "undeployed-model"):
        assert "CreateCustomModelDeployment" in said(undeployed)
        assert tuned["undeployed"] in said(undeployed)
    for deployed in (tuned["model"], "answers-model", "answers"):
        assert f"call its deployment instead, {tuned['deployment']}" in said(deployed) or (
            f"call it by its ARN, {tuned['deployment']}" in said(deployed)
        )


def test_invoke_speaks_novas_messages_format(runtime: Any, tuned: dict[str, str]) -> None:
    body = {"schemaVersion": "messages-v1", "messages": MESSAGES, "inferenceConfig": GREEDY}
    whole = converse(runtime)
    for model in (NOVA, tuned["deployment"]):
        reply = invoke(runtime, body, model=model)
        assert text_of(reply) == text_of(whole)
        assert reply["stopReason"] == "end_turn"
        assert reply["usage"] == whole["usage"]
    config = {"max_new_tokens": 3, "temperature": 0.5, "topK": 1}
    assert invoke(runtime, {**body, "inferenceConfig": config})["stopReason"] == "max_tokens"


def test_invoke_speaks_chat_completions_for_open_weights(runtime: Any) -> None:
    reply = invoke(runtime, CHAT, model=GPT)
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["message"]["content"] == text_of(converse(runtime))


def test_invoke_streams_chunks_in_the_models_own_format(runtime: Any) -> None:
    def chunks(model: str, body: dict[str, Any]) -> list[Any]:
        answer = runtime.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
        return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]

    expected = text_of(converse(runtime))
    nova = chunks(NOVA, {"messages": MESSAGES, "inferenceConfig": GREEDY})
    deltas = [each["contentBlockDelta"]["delta"]["text"] for each in nova[1:-3]]
    assert "".join(deltas) == expected
    assert list(nova[-2]) == ["messageStop"]
    chat = chunks(GPT, CHAT)
    pieces = [each["choices"][0]["delta"].get("content", "") for each in chat]
    assert "".join(pieces) == expected
    assert chat[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("model", "body", "word"),
    [
        (NOVA, {"inputText": "x"}, "inputText"),
        (NOVA, {"messages": MESSAGES, "schemaVersion": "v2"}, "schemaVersion"),
        (NOVA, {"messages": MESSAGES, "toolConfig": {}}, "toolConfig"),
        (NOVA, {"messages": MESSAGES, "inferenceConfig": {"topp": 1}}, "inferenceConfig.topp"),
        (NOVA, {"messages": "x"}, "messages"),
        (GPT, {"messages": MESSAGES}, "messages[0].content[0]"),
        (GPT, {**CHAT, "tools": [1]}, "tools"),
        (GPT, {**CHAT, "stream": True}, "stream"),
        (GPT, {**CHAT, "model": NOVA}, "model"),
    ],
)
def test_a_body_of_another_format_is_refused_by_name(
    runtime: Any, model: str, body: dict[str, Any], word: str
) -> None:
    code, message = refused(invoke, runtime=runtime, body=body, model=model)
    assert code == "ValidationException"
    assert word in message


def test_a_body_that_is_no_json_and_a_guardrail_are_refused(runtime: Any) -> None:
    assert refused(runtime.invoke_model, modelId=NOVA, body=b"{")[0] == "ValidationException"
    code, message = refused(
        runtime.invoke_model,
        modelId=NOVA,
        body=b"{}",
        guardrailIdentifier="abcdef",
        guardrailVersion="1",
    )
    assert (code, "guardrails are not simulated" in message) == ("ValidationException", True)


def test_an_operation_that_is_not_simulated_says_so(runtime: Any) -> None:
    code, message = refused(runtime.list_async_invokes)
    assert code == "UnknownOperationException"
    assert "not simulated" in message


def test_boto3_itself_refuses_a_request_without_a_model(runtime: Any) -> None:
    with pytest.raises(ParamValidationError):
        runtime.converse(messages=MESSAGES)


def test_a_model_whose_process_dies_is_a_model_error(runtime: Any, answering: Endpoint) -> None:
    answering.state.models = Models(command=("false",))
    try:
        code, message = refused(converse, runtime=runtime)
    finally:
        answering.state.models.close()
        answering.state.models = shared_models()
    assert code == "ModelErrorException"
    assert "died" in message


def test_count_tokens_says_what_a_question_costs(runtime: Any) -> None:
    asked = {"system": [{"text": "Answer shortly."}], "messages": MESSAGES}
    counted = runtime.count_tokens(modelId="amazon.nova-2-lite-v1:0", input={"converse": asked})
    assert counted["inputTokens"] == converse(runtime, **asked)["usage"]["inputTokens"]
    for model, body in (
        (NOVA, {"messages": MESSAGES}),
        (GPT, {"messages": [{"role": "user", "content": TEXT}]}),
    ):
        wanted = {"invokeModel": {"body": json.dumps(body)}}
        counted = runtime.count_tokens(modelId=model, input=wanted)
        plain = converse(runtime, modelId=model)["usage"]
        assert counted["inputTokens"] == plain["inputTokens"]
    said = refused(runtime.count_tokens, modelId=NOVA, input={"invokeModel": {"body": "{"}})
    assert said[0] == "ValidationException"
