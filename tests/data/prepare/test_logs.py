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
    ],
)
def test_the_answer_is_the_reference_when_asked_for(tmp_path: Path, reply: Any) -> None:
    (made,) = records(converted(tmp_path, entry(reply=reply), with_response=True))
    assert made["reference_answer"] == "7"


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
        (b'{"a": 1}\n{"a": \n', "log:2: the line is not JSON"),
        (b"[]\n", "log:1: the line is not an object"),
        (gzip.compress(b"x" * 1000, mtime=0)[:20], "log: the log file can't be read"),
        (b"\x1f\x8bnot gzip", "log: the log file can't be read"),
        (gzip.compress(b"\xff\n", mtime=0), "log:1: the line is not UTF-8"),
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


def test_what_comes_out_keeps_the_rules_except_for_the_reference(tmp_path: Path) -> None:
    output = converted(tmp_path, *(entry(requestId=str(number)) for number in range(100)))
    found = audit([output.path])
    assert found.ok
    assert {finding.rule.id for finding in found.findings} == {"reference-there", "tools-required"}
