from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data.prepare.audit import audit
from bedrock_rft_sim.data.prepare.logs import convert
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import read
from bedrock_rft_sim.errors import DataError

CONVERSE = {
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": "What is "}, {"text": "3 + 4?"}]}],
    "inferenceConfig": {"maxTokens": 64},
}
REPLY = {"output": {"message": {"role": "assistant", "content": [{"text": "7"}]}}}
WANTED_MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 3 + 4?"},
]


def entry(body: Any = CONVERSE, reply: Any = REPLY, **changes: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-23T03:00:00Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "requestId": "r-1",
        "operation": "Converse",
        "modelId": "amazon.nova-2-lite-v1:0",
        "input": {"inputContentType": "application/json", "inputBodyJson": body},
        "output": {"outputContentType": "application/json", "outputBodyJson": reply},
        "requestMetadata": {"project": "math"},
        **changes,
    }


def converted(tmp_path: Path, *entries: dict[str, Any], **options: Any) -> DataOutput:
    source = tmp_path / "log.json"
    source.write_text("".join(json.dumps(each) + "\n" for each in entries))
    return convert([source], tmp_path / "out.jsonl", **options)


def records(output: DataOutput) -> list[dict[str, Any]]:
    return [row.record for row in read(output.path)]


def reasons(output: DataOutput) -> dict[str, list[int]]:
    return {drop["reason"]: drop["lines"] for drop in output.manifest()["drops"]}


def test_a_converse_entry_becomes_a_record_without_the_answer(tmp_path: Path) -> None:
    assert records(converted(tmp_path, entry())) == [
        {
            "id": "r-1",
            "messages": WANTED_MESSAGES,
            "model_id": "amazon.nova-2-lite-v1:0",
            "request_metadata": {"project": "math"},
        }
    ]


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({"schemaVersion": "messages-v1", **CONVERSE}, WANTED_MESSAGES),
        (json.dumps(CONVERSE), WANTED_MESSAGES),
        (
            {
                "anthropic_version": "bedrock-2023-05-31",
                "system": "Be brief.",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "What is 3 + 4?"}]}
                ],
            },
            WANTED_MESSAGES,
        ),
        (
            {
                "messages": [
                    {"role": "developer", "content": "Be brief."},
                    {"role": "user", "content": "What is 3 + 4?"},
                ]
            },
            WANTED_MESSAGES,
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"text": "x"}, {"cachePoint": {}}]},
                    {"role": "assistant", "content": [{"text": "y"}]},
                    {"role": "user", "content": [{"text": "z"}]},
                ]
            },
            [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": "y"},
                {"role": "user", "content": "z"},
            ],
        ),
        ({"prompt": "How many?"}, [{"role": "user", "content": "How many?"}]),
        ({"inputText": "How many?"}, [{"role": "user", "content": "How many?"}]),
        ({"message": "How many?", "chat_history": []}, [{"role": "user", "content": "How many?"}]),
        (
            {
                "preamble": "Be brief.",
                "chat_history": [
                    {"role": "USER", "message": "x"},
                    {"role": "CHATBOT", "message": "y"},
                ],
                "message": "z",
            },
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": "y"},
                {"role": "user", "content": "z"},
            ],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"text": "a"},
                            {"guardContent": {"text": {"text": "b", "qualifiers": ["query"]}}},
                        ],
                    }
                ]
            },
            [{"role": "user", "content": "ab"}],
        ),
    ],
)
def test_each_api_s_body_becomes_chat_messages(
    tmp_path: Path, body: Any, messages: list[dict[str, str]]
) -> None:
    (made,) = records(converted(tmp_path, entry(body, operation="InvokeModel")))
    assert made["messages"] == messages


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "7"}]},
        {"choices": [{"message": {"role": "assistant", "content": "7"}}]},
        {"generation": "7"},
        {"output": {"message": {"content": [{"reasoningContent": {}}, {"text": "7"}]}}},
        {"choices": [{"text": "7"}]},
        {"outputs": [{"text": "7"}]},
        {"results": [{"outputText": "7"}]},
        {"generations": [{"text": "7"}]},
        {"completions": [{"data": {"text": "7"}}]},
        {"completion": "7"},
        {"text": "7"},
        {"message": {"role": "assistant", "content": [{"type": "text", "text": "7"}]}},
        {
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "7"}]},
            ]
        },
    ],
)
def test_the_answer_is_the_reference_when_asked_for(tmp_path: Path, reply: Any) -> None:
    (made,) = records(converted(tmp_path, entry(reply=reply), with_response=True))
    assert made["reference_answer"] == "7"


STREAMS: dict[str, list[dict[str, Any]]] = {
    "Anthropic": [
        {"type": "message_start", "message": {"role": "assistant", "content": []}},
        {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "se"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ven"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ],
    "Converse": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "hm"}}}},
        {"contentBlockDelta": {"delta": {"text": "se"}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"text": "ven"}, "contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "end_turn"}},
    ],
    "OpenAI": [
        {"choices": [{"delta": {"role": "assistant", "content": "se"}}]},
        {"choices": [{"delta": {"content": "ven"}, "finish_reason": None}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {}},
    ],
    "Responses": [
        {"type": "response.reasoning_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "se"},
        {"type": "response.output_text.delta", "delta": "ven"},
        {"type": "response.output_text.done", "text": "seven"},
    ],
    "Llama": [{"generation": "se"}, {"generation": "ven", "stop_reason": "stop"}],
    "Mistral": [{"outputs": [{"text": "se"}]}, {"outputs": [{"text": "ven"}]}],
    "Titan": [{"outputText": "se", "index": 0}, {"outputText": "ven", "index": 0}],
    "Cohere": [
        {"event_type": "stream-start"},
        {"event_type": "text-generation", "text": "se"},
        {"event_type": "text-generation", "text": "ven"},
        {"event_type": "stream-end", "response": {"text": "seven"}},
    ],
    "Cohere's second": [
        {"type": "content-delta", "delta": {"message": {"content": {"text": "se"}}}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": "ven"}}}},
    ],
}


@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_the_events_of_a_streamed_answer_are_joined(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    (made,) = records(converted(tmp_path, entry(reply=events), with_response=True))
    assert made["reference_answer"] == "seven"


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([{"contentBlockStart": {"start": {"toolUse": {"name": "add"}}}}], "more than text"),
        ([{"content_block": {"type": "tool_use", "name": "add"}}], "more than text"),
        ([{"delta": {"type": "input_json_delta", "partial_json": "{"}}], "more than text"),
        ([{"choices": [{"delta": {"tool_calls": [{}]}}]}], "more than text"),
        ([{"messageStart": {}}], "a form that is not known here"),
        ([], "a form that is not known here"),
        ([7, None], "a form that is not known here"),
    ],
)
def test_a_stream_without_a_whole_text_is_left_out_with_the_reason(
    tmp_path: Path, events: list[Any], reason: str
) -> None:
    output = converted(tmp_path, entry(reply=events), with_response=True)
    assert output.written == 0
    (found,) = reasons(output)
    assert reason in found


def test_tools_come_in_openai_s_form(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}}
    spec = {"name": "add", "description": "adds", "inputSchema": {"json": schema}}
    function = {"name": "add", "description": "adds", "parameters": schema}
    tool = {"type": "function", "function": function}
    bodies: list[dict[str, Any]] = [
        {"toolConfig": {"tools": [{"toolSpec": spec}]}},
        {"tools": [{"name": "add", "description": "adds", "input_schema": schema}]},
        {"tools": [tool]},
    ]
    for number, tools in enumerate(bodies):
        folder = tmp_path / str(number)
        folder.mkdir()
        (made,) = records(converted(folder, entry({**CONVERSE, **tools})))
        assert made["tools"] == [tool]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schemaType": "Other"}, "no entry of a model invocation"),
        ({"requestId": None}, "no entry of a model invocation"),
        ({"operation": "InvokeAgent"}, "the operation is not one of"),
        ({"errorCode": "ThrottlingException"}, "the invocation failed"),
        ({"input": {"inputBodyS3Path": "s3://b/k"}}, "a file of its own (inputBodyS3Path)"),
        ({"input": {"inputBodyJson": [1]}}, "no JSON object"),
        ({"input": {"inputBodyJson": "{"}}, "no JSON object"),
        ({"input": None}, "no JSON object"),
    ],
)
def test_an_entry_that_is_no_prompt_is_left_out_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    output = converted(tmp_path, entry(requestId="good"), entry(**changes))
    assert [record["id"] for record in records(output)] == ["good"]
    ((found, lines),) = reasons(output).items()
    assert reason in found
    assert lines == [2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "neither messages nor a prompt"),
        ({"prompt": "<|begin_of_text|>user What?"}, "already rendered"),
        ({"prompt": "\n\nHuman: What?\n\nAssistant:"}, "already rendered"),
        ({"messages": []}, "the record has no messages"),
        ({"messages": ["x"]}, "a message is no object"),
        ({"messages": [{"role": "user", "content": [{"image": {}}]}]}, "more than text"),
        ({"messages": [{"role": "user", "content": [{"toolResult": {}}]}]}, "more than text"),
        ({"messages": [{"role": "user", "content": None}]}, "more than text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "no role that RFT knows"),
        (
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": "prefilled"},
                ]
            },
            "the last message is not the user's",
        ),
        ({**CONVERSE, "toolConfig": {"tools": [{"custom": 1}]}}, "a tool has a form"),
    ],
)
def test_a_body_that_is_no_text_prompt_is_left_out_with_the_reason(
    tmp_path: Path, body: Any, reason: str
) -> None:
    output = converted(tmp_path, entry(body))
    assert output.written == 0
    (found,) = reasons(output)
    assert reason in found


def test_the_filter_takes_entries_by_their_metadata(tmp_path: Path) -> None:
    entries = [
        entry(requestId="a"),
        entry(requestId="b", requestMetadata={"project": "law"}),
        {key: value for key, value in entry(requestId="c").items() if key != "requestMetadata"},
    ]
    output = converted(tmp_path, *entries, wanted={"equals": {"project": "math"}})
    assert [record["id"] for record in records(output)] == ["a"]
    assert reasons(output) == {"the request metadata do not match": [2, 3]}
    assert output.manifest()["parameters"]["requestMetadataFilters"] == {
        "equals": {"project": "math"}
    }


def test_a_request_met_twice_is_taken_once(tmp_path: Path) -> None:
    output = converted(tmp_path, entry(), entry())
    assert len(records(output)) == 1
    assert reasons(output) == {"the request id was met before": [2]}


def test_gzipped_and_plain_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    packed, plain = tmp_path / "a.json.gz", tmp_path / "b.json"
    packed.write_bytes(gzip.compress(json.dumps(entry(requestId="a")).encode() + b"\n"))
    plain.write_text(json.dumps(entry(requestId="b")) + "\r\n")
    output = convert([packed, plain], tmp_path / "out.jsonl")
    assert [record["id"] for record in records(output)] == ["a", "b"]
    assert len(output.manifest()["sources"]) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"x" * 1000, mtime=0)[:20], "log: the log file can't be read"),
        (b"\x1f\x8bnot gzip", "log: the log file can't be read"),
    ],
)
def test_a_damaged_log_is_one_error_and_leaves_nothing(
    tmp_path: Path, content: bytes, words: str
) -> None:
    source = tmp_path / "log"
    source.write_bytes(content)
    with pytest.raises(DataError) as caught:
        convert([source], tmp_path / "out.jsonl")
    assert words in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": \n', "the line is not JSON"),
        (b"[]\n", "the line is not an object"),
        (b"\xff\n", "the line is not UTF-8"),
    ],
)
def test_a_line_that_is_no_entry_is_counted_and_ends_no_other(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = [json.dumps(entry(requestId=name)).encode() + b"\n" for name in ("a", "b")]
    source = tmp_path / "log"
    source.write_bytes(gzip.compress(good[0] + line + good[1]))
    output = convert([source], tmp_path / "out.jsonl")
    assert [record["id"] for record in records(output)] == ["a", "b"]
    assert reasons(output) == {reason: [2]}
    assert output.manifest()["rows"] == {"in": 3, "out": 2, "dropped": 1}


def test_what_comes_out_keeps_the_rules_except_for_the_reference(tmp_path: Path) -> None:
    output = converted(tmp_path, *(entry(requestId=str(number)) for number in range(100)))
    found = audit([output.path])
    assert found.ok
    assert {finding.rule.id for finding in found.findings} == {"reference-there", "tools-required"}
