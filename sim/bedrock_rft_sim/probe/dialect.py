"""What OpenAI-compatible chat endpoints make of the protocol: parameters, replies, refusals.

It sends nothing. Sources: OpenAI API reference, chat completions (`max_completion_tokens`,
`unsupported_parameter`, content parts); FastAPI's 422 (`detail`, `loc`), as vLLM and Mistral send
it; OpenRouter's errors inside a reply of status 200.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ATTEMPTS: Final = 5
ATTEMPTS_LIMITED: Final = 8
"""After 429: with the pauses of the endpoint 71 s in all, longer than a quota that counts by the
minute."""
RATE_LIMITED: Final = 429
SERVER_ERROR: Final = 500
AGAIN: Final = frozenset({408, 409, 425, 429, *range(500, 600)})
BODY_MAX: Final = 16 * 1024 * 1024
OTHER_NAMES: Final = {"max_tokens": "max_completion_tokens"}
"""What a refused parameter may be called instead; one without another name is left out."""
OPTIONAL: Final = ("top_p", "reasoning_effort", "temperature")
CUT: Final = {"length", "max_tokens", "max_output_tokens", "model_length"}
WITHHELD: Final = {"content_filter", "content_filtered", "guardrail_intervened", "safety"}
_TEXT_PARTS: Final = {"text", "output_text", None}
_REFUSING: Final = re.compile(
    r"support|unknown|recogni|unexpected|permitted|allowed|accept|extraneous|extra |both|"
    r"deprecated|instead|only|invalid|forbid|no longer",
    re.IGNORECASE,
)


@dataclass(eq=False)
class AttemptFaultError(Exception):
    """One attempt failed.

    `wait_s` is the pause that the endpoint demands, `attempts` how many such a fault is worth in
    all, and `outage` says that it has nothing to do with the prompt.
    """

    reason: str
    wait_s: float | None = None
    attempts: int = ATTEMPTS
    outage: bool = False

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class RefusedParameterError(Exception):
    """The endpoint takes every prompt, but not this parameter."""

    name: str


@dataclass
class Parameters:
    """What the endpoint was found to refuse, hence what is sent in place of the wished."""

    refused: dict[str, str | None] = field(default_factory=dict)
    """The other name, or None where the parameter is left out."""

    def sent(self, wished: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the parameters to send, and in words what is sent otherwise than wished."""
        refused = dict(self.refused)  # other threads learn, too
        named = ((refused.get(name, name), value) for name, value in wished.items())
        changes = [
            f"{name} sent as {other}" if other else f"{name} left out"
            for name, other in refused.items()
        ]
        return {name: value for name, value in named if name is not None}, changes

    def refuse(self, name: str) -> None:
        """Send it by another name from now on, or no more."""
        self.refused[name] = OTHER_NAMES.get(name)


def refused_parameter(body: str, sent: Mapping[str, Any]) -> str | None:
    """Return which parameter of the request a 400 or 422 refuses, or None."""
    names = [name for name in (*OTHER_NAMES, *OPTIONAL) if name in sent]
    error = _error_of(_json_or_none(body))
    places = error if isinstance(error, list) else []
    stated = [_at(error, "param"), *(place for each in places for place in _places(each))]
    text = _words(error) or body
    is_refusal = _REFUSING.search(text) is not None
    for name in names:
        if name in stated or (is_refusal and _is_named(name, text)):
            return name
    return None


def _is_named(name: str, text: str) -> bool:
    """Whether the text speaks of the parameter; `temperature` is also a word."""
    pattern = rf"\b{name}\b" if "_" in name else rf"[`'\"\[]{name}[`'\"\]]"
    return re.search(pattern, text) is not None


def _places(error: Any) -> list[str]:
    """Return where in the request FastAPI found it."""
    places = _at(error, "loc")
    return [str(place) for place in places] if isinstance(places, list) else []


def provider_words(body: str) -> str:
    """Return the message in an error's body, or the body where it has no known form."""
    return _words(_error_of(_json_or_none(body))) or body


def _json_or_none(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _error_of(answer: Any) -> Any:
    """Return what an answer says of an error, in whichever place."""
    places = ("error", "detail", "message", "errors", "Message")
    return next((answer[place] for place in places if _at(answer, place)), None)


def _words(error: Any) -> str | None:
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(filter(None, map(_words, error))) or None
    said = next((found for key in ("message", "msg", "detail") if (found := _at(error, key))), None)
    place = ".".join(_places(error))
    words = said if isinstance(said, str) else None
    return f"{place}: {words}" if words and place else words


def parsed(body: bytes, encoding: str | None) -> Mapping[str, Any]:
    """Return the JSON object of a reply, also where it comes compressed or as server-sent events.

    Raises:
        AttemptFaultError: it is none.
    """
    if encoding == "gzip" or body.startswith(b"\x1f\x8b"):
        body = _unzipped(body)
    if body.lstrip().startswith(b"data:"):
        return _joined(body.decode(errors="replace"))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AttemptFaultError("the body is no JSON", outage=True) from error
    if not isinstance(answer, dict):
        raise AttemptFaultError("the body is no JSON object")
    return answer


def _unzipped(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        found = unpacking.decompress(body, BODY_MAX)
    except zlib.error as error:
        raise AttemptFaultError("the body is no gzip", outage=True) from error
    if unpacking.unconsumed_tail:
        raise AttemptFaultError(f"the body is larger than {BODY_MAX} bytes", attempts=1)
    return found


def _joined(text: str) -> Mapping[str, Any]:
    """Return the chunks of a streamed reply as one that is not."""
    chunks = [_json_or_none(line.removeprefix("data:")) for line in text.splitlines()]
    told = [chunk for chunk in chunks if isinstance(chunk, dict)]
    failed = next((chunk for chunk in told if chunk.get("error")), None)
    if failed is not None:
        return failed
    choices = [choice for chunk in told if (choice := _choice(chunk)) is not None]
    texts = [_text(_at(choice.get("delta"), "content")) for choice in choices]
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    usage = next((chunk["usage"] for chunk in reversed(told) if chunk.get("usage")), None)
    content = "".join(text for text in texts if text) or None
    choice = {"message": {"content": content}, "finish_reason": reasons[-1] if reasons else None}
    return {"choices": [choice] if choices else [], "usage": usage}


def read_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a completion says of a sample; a finished one without text is empty.

    Raises:
        AttemptFaultError: there is no answer to grade.
    """
    choice = _choice(answer)
    failed = answer.get("error") or (choice or {}).get("error")
    if failed and (choice is None or "error" in choice):
        raise _told(failed)
    if choice is None:
        raise AttemptFaultError("the answer holds no choices")
    reason = str(choice.get("finish_reason") or "").lower()
    if reason in WITHHELD:
        raise AttemptFaultError("the answer was withheld by a content filter", attempts=1)
    text = _text(_at(choice.get("message"), "content"))
    if text is None and not reason:
        raise AttemptFaultError(
            "the first choice holds no text, and does not say that it is finished"
        )
    usage = answer.get("usage")
    return {
        "text": text or "",
        "tokens": _count(usage, "completion_tokens"),
        "prompt_tokens": _count(usage, "prompt_tokens"),
        "stop_reason": "length" if reason in CUT else "stop",
    }


def _told(error: Any) -> AttemptFaultError:
    """Return the fault that a reply of status 200 tells of, in the provider's own words."""
    code = _at(error, "code")
    words = f"the endpoint says: {_words(error) or error}"
    if code is not None:
        words += f" ({code})"
    is_refusal = isinstance(code, int) and code not in AGAIN
    return AttemptFaultError(
        words,
        attempts=1 if is_refusal else ATTEMPTS_LIMITED if code == RATE_LIMITED else ATTEMPTS,
        outage=isinstance(code, int) and (code == RATE_LIMITED or code >= SERVER_ERROR),
    )


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _text(content: Any) -> str | None:
    """Return the text of a message's content, whole or in parts; a part of thinking is none."""
    if isinstance(content, str):
        return content
    texts = list(_texts(content)) if isinstance(content, list) else []
    return "".join(texts) if texts else None


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        text = part if isinstance(part, str) else _at(part, "text")
        if isinstance(text, str) and (isinstance(part, str) or part.get("type") in _TEXT_PARTS):
            yield text


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
