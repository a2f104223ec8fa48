"""Turn Bedrock's model-invocation logs into RFT records.

InvokeModel and Converse, streamed or not; the bodies of Nova, Converse, Anthropic, Cohere and
OpenAI-like chat models, and of models that take one `prompt` or `inputText`. What can't become a
text prompt (images, a body too large for the log, a prompt already rendered with a chat template)
and a line that is no entry are left out and counted. Which entries the service itself leaves out is
not published.

Sources: Amazon Bedrock user guide, model-invocation-logging, rft-prepare-data and the inference
parameters of each provider's models; bedrock-runtime API reference, Converse and ConverseStream.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from bedrock_rft_sim.data.inspection import BESIDE_A_RECORD
from bedrock_rft_sim.data.lines import scan_file
from bedrock_rft_sim.data.prepare.metadata_filter import Filter, matches
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import DataRow, nested
from bedrock_rft_sim.data.record import blocking
from bedrock_rft_sim.data.rules import Violation
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import regular

SCHEMA = "ModelInvocationLog"
OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")
_GZIP = b"\x1f\x8b"
_RENDERED = re.compile(r"<\|\w+\|>|\[/?INST\]|</?s>|\n\n(Human|Assistant):")
_IGNORED_PARTS = {"cachePoint", "cache_control", "type"}
_COHERE_ROLES = {"CHATBOT": "assistant", "SYSTEM": "system", "USER": "user"}
Places = tuple[tuple[str | int, ...], ...]
"""Ways into a body, each as keys one inside the other."""
_TEXTS: Places = (
    ("choices", 0, "text"),
    ("generation",),
    ("generations", 0, "text"),
    ("outputs", 0, "text"),
    ("results", 0, "outputText"),
    ("outputText",),
    ("completions", 0, "data", "text"),
    ("completion",),
    ("text",),
)
"""Where models that take one prompt put their text, whole or as an event of a stream."""
_ANSWERS: Places = (
    ("output", "message", "content"),
    ("message", "content"),
    ("content",),
    ("choices", 0, "message", "content"),
    *_TEXTS,
)
_EVENTS: Places = (
    ("contentBlockStart", "start"),  # Converse and Nova
    ("contentBlockDelta", "delta"),
    ("content_block",),  # Anthropic
    ("delta",),
    ("delta", "message", "content"),  # Cohere's second version
    ("choices", 0, "delta"),
    ("choices", 0, "delta", "content"),
    *_TEXTS,
)
"""Where an event of a streamed chat response holds a text, or something with a `text`."""
_CALLS = {"toolUse", "tool_use", "partial_json", "tool_calls"}
_RESPONSES_TEXT = "response.output_text.delta"


class _LeftOutError(Exception):
    """The entry becomes no record; the message is the reason."""


def convert(
    sources: Sequence[Path],
    out: Path,
    *,
    wanted: Filter | None = None,
    with_response: bool = False,
    force: bool = False,
) -> DataOutput:
    """Write the records of the entries that the filter takes, and return the output as written.

    `with_response` puts the logged answer into reference_answer; the service's `usePromptResponse`
    is off by default, and so is this.

    Raises:
        DataError: a file can't be read.
    """
    parameters = {"requestMetadataFilters": wanted, "with_response": with_response}
    with DataOutput(
        out, operation="logs", parameters=parameters, sources=sources, force=force
    ) as output:
        seen: set[str] = set()
        for row, damage in output.counted(_entries(sources)):
            try:
                if damage is not None:
                    raise _LeftOutError(damage.what)
                record = _record(row.record, wanted, with_response=with_response)
                if record["id"] in seen:
                    raise _LeftOutError("the request id was met before")
            except _LeftOutError as reason:
                output.drop(row, str(reason))
            else:
                seen.add(record["id"])
                output.write(record)
    return output


def _entries(sources: Sequence[Path]) -> Iterator[tuple[DataRow, Violation | None]]:
    for path in sources:
        try:
            with regular(path) as raw:
                start = raw.read(2)
                raw.seek(0)
                file = gzip.GzipFile(fileobj=raw) if start == _GZIP else raw
                yield from _rows(cast("BinaryIO", file), path)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                "the log file can't be read",
                where=str(path),
                expected="JSON lines as Bedrock writes them, gzipped or not",
                found=getattr(error, "strerror", None) or str(error),
                hint="check the path, or fetch the file again",
            ) from error


def _rows(file: BinaryIO, path: Path) -> Iterator[tuple[DataRow, Violation | None]]:
    for line, seen in scan_file(file):
        if not isinstance(seen, Violation):
            yield DataRow(line, seen, str(path)), None
        elif seen.rule.id not in BESIDE_A_RECORD:
            yield DataRow(line, {}, str(path)), seen


def _record(
    entry: Mapping[str, Any], wanted: Filter | None, *, with_response: bool
) -> dict[str, Any]:
    stated = entry.get("requestMetadata")
    metadata = stated if isinstance(stated, dict) else {}
    _check_entry(entry, metadata, wanted)
    body = _body(entry, "input")
    if not isinstance(body, dict):
        raise _LeftOutError("the input body is no JSON object")
    made: dict[str, Any] = {"id": entry["requestId"], "messages": _messages(body)}
    if with_response:
        made["reference_answer"] = _response(_body(entry, "output"))
    tools = _tools(body)
    if tools:
        made["tools"] = tools
    made["model_id"] = str(entry.get("modelId", ""))
    made["request_metadata"] = metadata
    for violation in blocking(made, 0):
        raise _LeftOutError(violation.what)
    return made


def _check_entry(
    entry: Mapping[str, Any], metadata: Mapping[str, Any], wanted: Filter | None
) -> None:
    if entry.get("schemaType") != SCHEMA or not isinstance(entry.get("requestId"), str):
        raise _LeftOutError("it is no entry of a model invocation")
    if entry.get("operation") not in OPERATIONS:
        raise _LeftOutError(f"the operation is not one of {', '.join(OPERATIONS)}")
    if entry.get("errorCode"):
        raise _LeftOutError("the invocation failed")
    if not matches(wanted, metadata):
        raise _LeftOutError("the request metadata do not match")


def _body(entry: Mapping[str, Any], side: str) -> Mapping[str, Any] | list[Any]:
    """Return the body; that of a streamed response is the list of its events."""
    body = nested(entry, side, f"{side}BodyJson")
    if body is None and nested(entry, side, f"{side}BodyS3Path") is not None:
        raise _LeftOutError(f"the {side} body stands in a file of its own ({side}BodyS3Path)")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            body = None
    if not isinstance(body, dict | list):
        raise _LeftOutError(f"the {side} body is no JSON object")
    return body


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    raw = body.get("messages")
    if isinstance(body.get("message"), str):
        return _cohere_messages(body)
    if not isinstance(raw, list):
        return [{"role": "user", "content": _single_prompt(body)}]
    system = body.get("system")
    opening = [] if not system else [{"role": "system", "content": _text(system)}]
    return [*opening, *(_message(message) for message in raw)]


def _cohere_messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    preamble, history = body.get("preamble"), body.get("chat_history")
    turns = [{"role": "SYSTEM", "message": preamble}] if isinstance(preamble, str) else []
    turns += history if isinstance(history, list) else []
    messages = []
    for turn in [*turns, {"role": "USER", "message": body["message"]}]:
        role = _COHERE_ROLES.get(str(nested(turn, "role")))
        if role is None:
            raise _LeftOutError("the history holds more than text")
        messages.append({"role": role, "content": _text(nested(turn, "message"))})
    return messages


def _single_prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt", body.get("inputText"))
    if not isinstance(prompt, str):
        raise _LeftOutError("the body holds neither messages nor a prompt")
    if _RENDERED.search(prompt):
        raise _LeftOutError("the prompt is already rendered with a chat template")
    return prompt


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, dict):
        raise _LeftOutError("a message is no object")
    role = {"developer": "system"}.get(str(message.get("role")), str(message.get("role")))
    return {"role": role, "content": _text(message.get("content"))}


def _text(content: Any) -> str:
    """Return the text of a content in any of the APIs' forms."""
    if isinstance(content, str):
        return content
    return "".join(map(_part, content if isinstance(content, list) else [content]))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise _LeftOutError("a message holds more than text")
    guarded = nested(part, "guardContent", "text")
    if set(part) == {"guardContent"} and isinstance(guarded, dict):
        part = {"text": guarded.get("text")}  # its qualifiers are for the guardrail alone
    text = part.get("text")
    is_cache_point = text is None and "cachePoint" in part
    if set(part) - _IGNORED_PARTS - {"text"} or not (isinstance(text, str) or is_cache_point):
        raise _LeftOutError("a message holds more than text")
    return text or ""


def _tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tools in OpenAI's form; Converse calls them toolConfig."""
    given = nested(body, "toolConfig", "tools") if body.get("toolConfig") else body.get("tools")
    return [_tool(tool) for tool in given] if isinstance(given, list) else []


def _tool(tool: Any) -> dict[str, Any]:
    if isinstance(spec := nested(tool, "toolSpec"), dict):
        schema = nested(spec, "inputSchema", "json")
        return _function(spec.get("name"), spec.get("description"), schema)
    if isinstance(tool, dict) and "input_schema" in tool:  # Anthropic's form
        return _function(tool.get("name"), tool.get("description"), tool["input_schema"])
    if isinstance(tool, dict) and tool.get("type") == "function":
        return tool
    raise _LeftOutError("a tool has a form that is not known here")


def _function(name: Any, description: Any, schema: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


def _response(body: Mapping[str, Any] | list[Any]) -> str:
    if isinstance(body, list):
        return _streamed(body)
    items = body.get("output")
    if isinstance(items, list):  # the Responses API: messages beside reasoning and calls
        if not {nested(each, "type") for each in items} <= {"message", "reasoning"}:
            raise _LeftOutError("the response holds more than text")
        said = [nested(each, "content") for each in items if each["type"] == "message"]
        body = {"content": [part for each in said if isinstance(each, list) for part in each]}
    stated = (nested(body, *place) for place in _ANSWERS)
    content = next((each for each in stated if each is not None), None)
    if content is None:
        raise _LeftOutError("the response has a form that is not known here")
    parts = content if isinstance(content, list) else [content]
    return _text([part for part in parts if not _is_reasoning(part)])


def _streamed(events: list[Any]) -> str:
    """Return the text of a response's events, joined."""
    found = [each for event in events for each in _of_event(event)]
    if any(isinstance(each, dict) and _CALLS & {*each, each.get("type")} for each in found):
        raise _LeftOutError("the response holds more than text")
    texts = [each if isinstance(each, str) else nested(each, "text") for each in found]
    known = [text for text in texts if isinstance(text, str)]
    if not known:
        raise _LeftOutError("the response has a form that is not known here")
    return "".join(known)


def _of_event(event: Any) -> Iterator[Any]:
    kind = str(nested(event, "type"))
    if not kind.startswith("response.") or kind == _RESPONSES_TEXT:
        stated = (nested(event, *place) for place in _EVENTS)
        yield from (each for each in stated if each is not None)


def _is_reasoning(part: Any) -> bool:
    return isinstance(part, dict) and ("reasoningContent" in part or part.get("type") == "thinking")
