"""One AWS service over HTTP, driven by botocore's own model: which operation, which parameters.

A request is matched, read and checked against the model; a handler gets plain parameters and gives
plain output. An operation without a handler answers that it is not simulated.
Sources: AWS rest-json protocol; botocore service models.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.recipe.dialects.service_model import Shape, check_shape, service_model
from bedrock_rft_sim.recipe.wording import shown
from bedrock_rft_sim.server.errors import AwsError, aws_error, detected, log_failure, not_simulated
from bedrock_rft_sim.server.json_body import parse_object
from bedrock_rft_sim.server.request_line import operation_at, query_of, raw_path

_SHOWN: Final = 5
_COUNTED: Final = 100
_READS: Final = ("Get", "List", "Describe", "Filter")
_INVOKE: Final = "Invoke"
INVOCATIONS: Final = 128
"""Threads for them at most; the functions themselves refuse long before."""
CHANGES: Final = 16
"""Threads for what creates, changes or deletes; most of it waits for a lock or the disk."""
_SIGNED_AS: Final = {
    "bedrock": (
        "bedrock-runtime",
        "bedrock-agent",
        "bedrock-agent-runtime",
        "bedrock-data-automation",
    )
}
"""Other services whose requests are signed with this one's name, so that they come here."""


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request."""

    params: dict[str, Any]
    """By the model's member names; times in seconds since 1970, blobs as bytes."""
    region: str


@dataclass(frozen=True, slots=True)
class Output:
    """An operation's output, with headers that the service's model has no place for."""

    values: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], dict[str, Any] | Output | Response]


class RestService:
    """A service's operations that are simulated, by their AWS names."""

    def __init__(
        self,
        service: str,
        handlers: Mapping[str, Handler],
        *,
        invalid: str = "ValidationException",
        failed: str = "InternalServerException",
        default_region: str,
    ) -> None:
        self._service = service
        self._handlers = handlers
        self._invalid = invalid
        self._failed = failed
        self._region = default_region
        self._invocations = CapacityLimiter(INVOCATIONS)
        self._changes = CapacityLimiter(CHANGES)

    async def answer(self, request: Request, *, region: str | None) -> Response:
        """Answer one request in the service's own form, whatever it is."""
        body = await request.body()
        operation, labels = operation_at(self._service, request.scope)
        if operation is None:
            return await to_thread.run_sync(self._unknown, request)
        if operation not in self._handlers:
            return not_simulated(operation).response()
        work = partial(self._answered, operation, labels, request, body, region or self._region)
        return await to_thread.run_sync(work, limiter=self._lane(operation))

    def _lane(self, operation: str) -> CapacityLimiter | None:
        """Return whose threads the operation takes; None for those that reads are sure to find."""
        if operation.startswith(_READS):
            return None
        return self._invocations if operation == _INVOKE else self._changes

    def _unknown(self, request: Request) -> Response:
        """Refuse; an operation of another service that is signed as this one goes by its name."""
        for service in _SIGNED_AS.get(self._service, ()):
            operation, _ = operation_at(service, request.scope)
            if operation is not None:
                return not_simulated(f"{operation} of {service}").response()
        path = raw_path(request.scope)[:200]
        return not_simulated(f"{request.method} {path} of {self._service}").response()

    def _answered(
        self, operation: str, labels: Mapping[str, str], request: Request, body: bytes, region: str
    ) -> Response:
        try:
            params = self._params(operation, labels, request, body)
            return self._response(operation, self._handlers[operation](Call(params, region)))
        except AwsError as error:
            return error.response()
        except RehearsalError as error:
            log_failure(error)
            return aws_error(self._failed, str(error))

    def _params(
        self, operation: str, labels: Mapping[str, str], request: Request, body: bytes
    ) -> dict[str, Any]:
        shape = service_model(self._service).operation_model(operation).input_shape
        if shape is None:
            return {}
        params = self._outside(shape, labels, request)
        payload = shape.serialization.get("payload")
        if payload is not None:
            is_blob = shape.members[payload].type_name == "blob"
            params[payload] = body if is_blob else self._json(body)
        elif body:
            params |= self._json(body)
        refusals = [
            f"{one.problem} at {one.path!r}, value: {shown(one.value)}, expected: {one.rule}"
            for one in itertools.islice(check_shape(shape, params), _COUNTED)
        ]
        if refusals:
            raise AwsError(self._invalid, detected(refusals, shown=_SHOWN, counted=_COUNTED))
        try:
            decoded: dict[str, Any] = _decode(shape, params)
        except ValueError as error:
            raise AwsError(self._invalid, detected([str(error)])) from None
        return decoded

    def _outside(self, shape: Shape, labels: Mapping[str, str], request: Request) -> dict[str, Any]:
        """Return what stands in the path, the query and the headers."""
        query = parse_qs(query_of(request.scope), keep_blank_values=True)
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            key = member.serialization.get("name", name)
            if location == "uri":
                found[name] = self._typed(member, [labels[key]], name)
            elif location == "querystring" and key in query:
                found[name] = self._typed(member, query[key], name)
            elif location == "header" and key in request.headers:
                found[name] = request.headers[key]
        return found

    def _typed(self, member: Shape, texts: list[str], name: str) -> Any:
        if member.type_name == "list":
            return texts
        if member.type_name == "boolean":
            return texts[0].lower() == "true"
        if member.type_name not in ("integer", "long"):
            return texts[0]
        try:
            return int(texts[0])
        except ValueError:
            words = f"Value {texts[0]!r} at {name!r}, expected: a whole number"
            raise AwsError(self._invalid, detected([words])) from None

    def _json(self, body: bytes) -> dict[str, Any]:
        try:
            return parse_object(body or b"{}")
        except ValueError as error:
            raise AwsError(self._invalid, f"the body is no usable JSON: {error}") from None

    def _response(self, operation: str, result: dict[str, Any] | Output | Response) -> Response:
        if isinstance(result, Response):
            return result
        output = result if isinstance(result, Output) else Output(result)
        headers = dict(output.headers)
        model = service_model(self._service).operation_model(operation)
        status = model.http.get("responseCode", 200)
        if model.output_shape is None or status == 204:  # noqa: PLR2004 - no content
            return Response(status_code=status, headers=headers)
        content = _encode(model.output_shape, output.values)
        return JSONResponse(content, status_code=status, headers=headers)


def _decode(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {name: _decode(shape.members[name], inner) for name, inner in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_decode(shape.member, inner) for inner in value]
    if kind == "timestamp":
        return _seconds(value)
    if kind == "blob" and not isinstance(value, bytes):
        return _unbase64(value)
    return value


def _unbase64(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("a blob is not base64") from error


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no time") from None
    return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()


def _encode(shape: Shape, value: Any) -> Any:
    """Return the output as JSON carries it; what is None is left out."""
    kind = shape.type_name
    if kind == "structure":
        return {
            name: _encode(shape.members[name], inner)
            for name, inner in value.items()
            if inner is not None
        }
    if kind == "list":
        return [_encode(shape.member, inner) for inner in value]
    if kind == "timestamp" and shape.serialization.get("timestampFormat") == "iso8601":
        moment = datetime.datetime.fromtimestamp(value, tz=datetime.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
