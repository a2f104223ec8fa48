"""Converse, ConverseStream and InvokeModel's messages format for Nova: requests and answers.

Text only. Ignored, because they change nothing about the text: `requestMetadata`, `serviceTier`,
`performanceConfig`. Tools, guardrails, documents, images, prompt variables and output formats are
refused as not simulated.
The messages format may say `schemaVersion`, `system`, `messages`, `inferenceConfig` with
`maxTokens` (also `max_new_tokens`), `temperature`, `topP`, `topK`, `stopSequences`, and
`reasoningConfig`; its answers are those of Converse.
Sources: botocore service model bedrock-runtime/2023-09-30; Amazon Nova 2 user guide, request and
response schema (its defaults, `topK`, `reasoningConfig`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from bedrock_rft_sim.recipe.dialects.service_model import check_shape, input_shape
from bedrock_rft_sim.server.errors import NOT_SIMULATED, detected, invalid
from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest, TextPiece

IGNORED: Final = frozenset({"requestMetadata", "serviceTier", "performanceConfig"})
_CHECKED: Final = frozenset({"messages", "system", "inferenceConfig"}) | IGNORED
_EXTRA: Final = "additionalModelRequestFields"
NOVA_TEMPERATURE: Final = 0.7
NOVA_TOP_P: Final = 0.9
TOP_K_MAX: Final = 128
STOP_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "stop_sequence": "stop_sequence"}
_EFFORTS: Final = ("low", "medium", "high")
_SHOWN: Final = 5
SCHEMA_VERSION: Final = "messages-v1"
_NOVA_EXTRA: Final = ("topK", "reasoningConfig")
_MESSAGES: Final = ("system", "messages")
_NOVA_KEYS: Final = {"schemaVersion", "inferenceConfig", *_MESSAGES, *_NOVA_EXTRA}


def read_converse(body: Mapping[str, Any], *, local_model: str, is_nova: bool) -> ModelRequest:
    """Check the body of a Converse request.

    Raises:
        AwsError: it breaks the service model, or asks for what is not simulated.
    """
    known = {name: value for name, value in body.items() if value is not None}
    extra = known.pop(_EXTRA, {})
    system, messages = list(_texts_of(known.get("system", []), "system")), _messages(known)
    _check_model(known)
    config = known.get("inferenceConfig", {})
    top_k, effort = _extra_fields(extra, is_nova=is_nova)
    turns = ([{"role": "system", "content": "\n".join(system)}] if system else []) + messages
    return ModelRequest(
        model=local_model,
        messages=turns,
        max_tokens=config.get("maxTokens"),
        temperature=float(config.get("temperature", NOVA_TEMPERATURE if is_nova else 1.0)),
        top_p=float(config.get("topP", NOVA_TOP_P if is_nova else 1.0)) or 1e-9,
        top_k=top_k,
        stop=tuple(config.get("stopSequences", ())),
        template={} if effort is None else {"reasoning_effort": effort},
    )


def read_nova(body: Mapping[str, Any], *, local_model: str) -> ModelRequest:
    """Check a body of the messages format.

    Raises:
        AwsError: it says something wrong, or asks for what is not simulated.
    """
    for name in body:
        if name not in _NOVA_KEYS:
            raise invalid(
                f"{name} is {NOT_SIMULATED}; expected one of {', '.join(sorted(_NOVA_KEYS))}"
            )
    version = body.get("schemaVersion", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise invalid(f"schemaVersion: expected {SCHEMA_VERSION}, got {version!r:.60}")
    config = body.get("inferenceConfig", {})
    if not isinstance(config, dict):
        raise invalid("inferenceConfig: expected an object")
    config = dict(config)
    if "max_new_tokens" in config:
        config.setdefault("maxTokens", config.pop("max_new_tokens"))
    extra = {name: config.pop(name) for name in _NOVA_EXTRA if name in config}
    extra |= {name: body[name] for name in _NOVA_EXTRA if name in body}
    stated = {name: body[name] for name in _MESSAGES if name in body}
    return read_converse(
        {**stated, "inferenceConfig": config, "additionalModelRequestFields": extra},
        local_model=local_model,
        is_nova=True,
    )


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: expected a list of at least one message")
    found = []
    for position, message in enumerate(messages):
        where = f"messages.{position}"
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise invalid(f"{where}.role: expected user or assistant")
        text = "".join(_texts_of(message.get("content"), f"{where}.content"))
        found.append({"role": message["role"], "content": text})
    roles = [message["role"] for message in found]
    if roles[0] != "user":
        raise invalid(
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    if any(one == other for one, other in itertools.pairwise(roles)):
        raise invalid(
            "A conversation must alternate between user and assistant roles. Make sure the "
            "conversation alternates between user and assistant roles and try again."
        )
    if roles[-1] != "user":
        raise invalid(f"messages: beginning the assistant's answer is {NOT_SIMULATED}")
    return found


def _texts_of(blocks: Any, where: str) -> Iterator[str]:
    if not isinstance(blocks, list):
        raise invalid(f"{where}: expected a list of content blocks")
    for position, block in enumerate(blocks):
        names = sorted(block) if isinstance(block, dict) else []
        if names == ["cachePoint"]:
            continue  # nothing is cached, and the text stays the same
        if names != ["text"] or not isinstance(block["text"], str):
            kind = ", ".join(names)[:80] or type(block).__name__
            raise invalid(f"{where}.{position}: {kind} is {NOT_SIMULATED}; expected text")
        yield block["text"]


def _check_model(body: Mapping[str, Any]) -> None:
    """Hold the body against the service model, without what was refused or read before."""
    shape = input_shape("bedrock-runtime", "Converse")
    for name in body:
        if name in shape.members and name not in _CHECKED:
            raise invalid(f"{name} is {NOT_SIMULATED} by the local endpoint")
    # A cache point is read over above, and this check knows no documents.
    plain = {name: value for name, value in body.items() if name not in ("system", "messages")}
    refusals = [
        f"{one.problem} at {one.path!r}, value: {one.value!r:.100}, expected: {one.rule}"
        for one in check_shape(shape, {"modelId": "x", **plain})
    ]
    if refusals:
        raise invalid(detected(refusals, shown=_SHOWN))


def _extra_fields(extra: Any, *, is_nova: bool) -> tuple[int, str | None]:
    """Return `topK` (0 for all) and the reasoning effort."""
    if not isinstance(extra, dict):
        raise invalid(f"{_EXTRA}: expected an object")
    inside = extra.get("inferenceConfig")
    fields = dict(extra)
    if is_nova and isinstance(inside, dict):
        del fields["inferenceConfig"]
        fields |= inside
    top_k, effort = 0, None
    for name, value in fields.items():
        if is_nova and name == "topK":
            top_k = _top_k(value)
        elif is_nova and name == "reasoningConfig" and isinstance(value, dict):
            effort = _effort(value)
        elif not is_nova and name == "reasoning_effort" and value in _EFFORTS:
            effort = value
        else:
            raise invalid(f"{name}: {value!r:.100} is {NOT_SIMULATED}")
    return top_k, effort


def _top_k(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= TOP_K_MAX:
        raise invalid(f"topK: expected a whole number from 0 to {TOP_K_MAX}, got {value!r:.60}")
    return value


def _effort(config: Mapping[str, Any]) -> str | None:
    effort = config.get("maxReasoningEffort")
    if config == {"type": "disabled"}:
        return None
    if (
        not set(config) <= {"type", "maxReasoningEffort"}
        or config.get("type") != "enabled"
        or effort not in (None, *_EFFORTS)
    ):
        raise invalid(f"reasoningConfig: expected type and maxReasoningEffort, got {config!r:.100}")
    return effort


# The answer


def _usage(answer: ModelAnswer) -> dict[str, int]:
    return {
        "inputTokens": answer.prompt_tokens,
        "outputTokens": answer.completion_tokens,
        "totalTokens": answer.prompt_tokens + answer.completion_tokens,
    }


def as_reply(answer: ModelAnswer) -> dict[str, Any]:
    """Return Converse's output but for its metrics; that of InvokeModel for Nova is the same."""
    message = {"role": "assistant", "content": [{"text": answer.text}]}
    return {
        "output": {"message": message},
        "stopReason": STOP_REASONS[answer.stop_reason],
        "usage": _usage(answer),
    }


async def as_events(
    stream: AsyncIterator[TextPiece | ModelAnswer], *, began: float
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the names and values of ConverseStream's events; `began` in perf_counter's seconds."""
    yield "messageStart", {"role": "assistant"}
    async for each in stream:
        if isinstance(each, TextPiece):
            delta = {"delta": {"text": each.text}, "contentBlockIndex": 0}
            yield "contentBlockDelta", delta
            continue
        yield "contentBlockStop", {"contentBlockIndex": 0}
        yield "messageStop", {"stopReason": STOP_REASONS[each.stop_reason]}
        metrics = {"latencyMs": milliseconds_since(began)}
        yield "metadata", {"usage": _usage(each), "metrics": metrics}


def milliseconds_since(began: float) -> int:
    """Return the time since `began`, in perf_counter's seconds."""
    return round((time.perf_counter() - began) * 1000)
