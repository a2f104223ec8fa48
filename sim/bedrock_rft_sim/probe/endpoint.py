"""Answers of a model behind an OpenAI-compatible chat endpoint, one request per sample.

Whatever goes wrong (slow, refusing, 429, 5xx, no choices, no JSON, a body cut short) is tried again
with growing pauses, `Retry-After` respected; then the sample is reported without an answer. The key
is sent to the endpoint only, follows no redirect, and stands in no message and no file; nor do the
values of the address's query.

The standard library's client is enough for one POST, and adds no dependency.

Sources: OpenAI API reference, chat completions; RFC 9110, 10.2.3 (Retry-After).
"""

from __future__ import annotations

import email.message
import email.utils
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import MASK, EndpointError
from bedrock_rft_sim.probe.address import full_address, secrets_of, shown_address
from bedrock_rft_sim.probe.dialect import (
    AGAIN,
    ATTEMPTS,
    ATTEMPTS_LIMITED,
    BODY_MAX,
    RATE_LIMITED,
    SERVER_ERROR,
    AttemptFaultError,
    Parameters,
    RefusedParameterError,
    parsed,
    provider_words,
    read_answer,
    refused_parameter,
)
from bedrock_rft_sim.probe.sample import GivenUpError, ProbeSample, Wanted

BACKOFF_S = 1.0
BACKOFF_MAX_S = 20.0
PAUSE_MAX_S = 120.0
"""An endpoint that asks for a longer pause is reported instead of waited for."""
TIMEOUT_S = 120.0
EXCERPT_READ = 65_536
EXCERPT_SHOWN = 200
WORKERS = 4
GIVE_UP_AFTER = 3
"""Prompts in a row that the server failed; then nothing more is sent. What it refuses for the sake
of one prompt (400, a content filter) does not count."""
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
_HOPELESS = {401: "the key is refused", 403: "the key lacks the right", 404: "no such address"}
_REFUSING = {400, 422}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow none; the 3xx comes back as an error."""
        return


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and what for."""

    url: str
    model: str
    key: str | None = field(repr=False)
    max_tokens: int
    temperature: float
    top_p: float
    reasoning_effort: str | None
    """None leaves it to the endpoint."""
    samples: int
    timeout_s: float = TIMEOUT_S
    sleep: Callable[[float], None] = time.sleep
    parameters: Parameters = field(default_factory=Parameters, compare=False)

    def samples_of(
        self, rows: Sequence[Row], wanted: Wanted, *, last: Collection[int] = ()
    ) -> Iterator[list[ProbeSample]]:
        """Yield the wanted answers, one prompt at a time, the prompts of `last` at the end.

        Raises:
            EndpointError: the endpoint refuses the key or the address, so no request will fare
                better.
            GivenUpError: the server failed several prompts in a row.
        """
        silent = 0
        with ThreadPoolExecutor(WORKERS) as pool:
            for place in sorted(range(len(rows)), key=lambda place: place in last):
                numbers = [g for g in range(self.samples) if wanted(place, g)]
                if not numbers:
                    continue
                samples, outages = zip(
                    *pool.map(_PromptSampler(self, rows[place], place), numbers), strict=True
                )
                yield list(samples)
                silent = silent + 1 if all(outages) else 0
                if silent >= GIVE_UP_AFTER:
                    raise GivenUpError(
                        f"the endpoint failed {silent} prompts in a row, so the rest were not "
                        f"sent; the last time: {samples[-1].fault}"
                    )

    @property
    def shown(self) -> str:
        """The address as it may be printed and stored."""
        return shown_address(self.url)


@dataclass(frozen=True)
class _PromptSampler:
    """Samples one prompt, and says whether an outage was the reason that there is no answer."""

    endpoint: Endpoint
    row: Row
    place: int

    def __call__(self, sample: int) -> tuple[ProbeSample, bool]:
        ungraded = ProbeSample(self.row.id, self.place, sample)
        for attempt in range(1, ATTEMPTS_LIMITED + 1):
            try:
                reply, changes = self._reply()
                return replace(ungraded, **read_answer(reply), request_changes=changes), False
            except AttemptFaultError as fault:
                growing = min(BACKOFF_S * 2 ** (attempt - 1), BACKOFF_MAX_S)
                pause = max(fault.wait_s or 0.0, growing)
                if attempt >= fault.attempts or pause > PAUSE_MAX_S:
                    words = self._fault_words(fault, attempt, pause)
                    return replace(ungraded, fault=words), fault.outage
                self.endpoint.sleep(pause)
        raise AssertionError("the loop returns")

    def _fault_words(self, fault: AttemptFaultError, attempt: int, pause: float) -> str:
        tried = "" if attempt == 1 else f" ({attempt} attempts)"
        wait = f", which asks to wait {pause:g} s" if pause > PAUSE_MAX_S else ""
        return self._without_secrets(f"{fault}{wait}{tried}")

    def _without_secrets(self, text: str) -> str:
        for secret in secrets_of(self.endpoint.url, self.endpoint.key):
            text = text.replace(secret, MASK)
        return text

    def _reply(self) -> tuple[Mapping[str, Any], list[str]]:
        """Return the reply, and what was changed in the request; what is refused is sent once."""
        parameters = self.endpoint.parameters
        while True:
            sent, changes = parameters.sent(self._wished())
            try:
                return self._post(sent), changes
            except RefusedParameterError as refused:
                parameters.refuse(refused.name)

    def _wished(self) -> dict[str, Any]:
        endpoint = self.endpoint
        effort = endpoint.reasoning_effort
        return {
            "max_tokens": endpoint.max_tokens,
            "temperature": endpoint.temperature,
            "top_p": endpoint.top_p,
            **({} if effort is None else {"reasoning_effort": effort}),
        }

    def _post(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        deadline = time.monotonic() + self.endpoint.timeout_s
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            request = self._request(parameters)
            with opener.open(request, timeout=self.endpoint.timeout_s) as response:
                return parsed(_read(response, deadline), response.headers.get("Content-Encoding"))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error, parameters) from error
        except (OSError, http.client.HTTPException) as error:
            raise AttemptFaultError(self._broken(error), outage=True) from error

    def _broken(self, error: Exception) -> str:
        """Say what became of the connection."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return f"no answer within {self.endpoint.timeout_s:g} s"
        if isinstance(error, http.client.IncompleteRead):
            return "the body was cut short"
        if isinstance(error, urllib.error.URLError):
            return f"no connection: {reason}"
        return f"the connection broke: {str(error) or type(error).__name__}"

    def _request(self, parameters: Mapping[str, Any]) -> urllib.request.Request:
        messages = list(self.row.messages)
        body = {"model": self.endpoint.model, "messages": messages, **parameters}
        headers = {"Content-Type": "application/json", "User-Agent": "bedrock-rft-sim"}
        if self.endpoint.key:
            headers["Authorization"] = f"Bearer {self.endpoint.key}"
        address, data = full_address(self.endpoint.url), json.dumps(body).encode()
        # check_url let only http and https through
        return urllib.request.Request(address, data, headers, method="POST")  # noqa: S310

    def _refused(
        self, error: urllib.error.HTTPError, parameters: Mapping[str, Any]
    ) -> AttemptFaultError | RefusedParameterError:
        body = self._body(error)
        refused = refused_parameter(body, parameters) if error.code in _REFUSING else None
        if refused is not None:
            return RefusedParameterError(refused)
        excerpt = " ".join(provider_words(body).split())[:EXCERPT_SHOWN]
        if error.code in _HOPELESS:
            raise EndpointError(
                f"the endpoint answers {error.code}: {_HOPELESS[error.code]}",
                where=self.endpoint.shown,
                found=excerpt or None,
                hint="check --endpoint, --endpoint-model and the key in the environment",
            )
        reason = f"status {error.code} {excerpt}".strip()
        if error.headers.get("Location"):
            target = error.headers["Location"][:EXCERPT_SHOWN]
            reason += f", which leads to {target}; the key follows no redirect"
        if error.code not in AGAIN:
            return AttemptFaultError(reason, attempts=1)
        return AttemptFaultError(
            reason,
            wait_s=_retry_after(error.headers),
            attempts=ATTEMPTS_LIMITED if error.code == RATE_LIMITED else ATTEMPTS,
            outage=error.code == RATE_LIMITED or error.code >= SERVER_ERROR,
        )

    def _body(self, error: urllib.error.HTTPError) -> str:
        """Return the beginning of the body; masked first, since a cut secret isn't recognised."""
        try:
            body = error.read(EXCERPT_READ)
        except (OSError, http.client.HTTPException):
            return ""
        text = body.decode(errors="replace")
        if len(body) == EXCERPT_READ:  # its end may be the beginning of a secret
            longest = max(map(len, secrets_of(self.endpoint.url, self.endpoint.key)), default=0)
            text = text[: len(text) - longest]
        return self._without_secrets(text)


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read the body, however slowly it drips, until the deadline."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(65536):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > BODY_MAX:
            raise AttemptFaultError(f"the body is larger than {BODY_MAX} bytes", attempts=1)
    if response.length:  # the connection ended before what Content-Length announced
        raise AttemptFaultError("the body was cut short", outage=True)
    return b"".join(parts)


def _retry_after(headers: email.message.Message) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as a date or as seconds.

    RFC 9110 knows whole seconds only; some servers send decimals.
    """
    text = headers.get("Retry-After")
    if text is None:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
