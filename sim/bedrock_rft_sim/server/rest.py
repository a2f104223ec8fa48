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
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.recipe.dialects.service_model import check_shape
from bedrock_rft_sim.recipe.wording import shown
from bedrock_rft_sim.server.errors import NOT_SIMULATED, AwsError, aws_error, log_failure
from bedrock_rft_sim.server.json_body import parse_json
from bedrock_rft_sim.server.request_line import query_of, raw_path

_LABEL = re.compile(r"\{(\w+)(\+?)\}")
_OPAQUE = ("timestamp", "blob")
_SHOWN = 5
_COUNTED = 100
_READS: Final = ("Get", "List")
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
    ),
}
"""Other services whose requests are signed with this one's name, so that they come here."""

# A botocore shape or model; the library has no types of its own.
Shape = Any


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request."""

    operation: str
    params: dict[str, Any]
    """By the model's member names; times in seconds since 1970, blobs as bytes."""
    region: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, read whole."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not simply JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer with something beside it that the service's model has no place for."""

    output: dict[str, Any]
    headers: Mapping[str, str]


Handler = Callable[[Call], dict[str, Any] | Told | Reply]


@cache
def service_model(service: str) -> Any:
    """Load a service's model from the files inside botocore, without a session."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], set[str], str]]:
    """Return method, pattern, fixed query and operation, the most literal path first."""
    model = service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        path = path.rstrip("/") or "/"
        fixed = {part for part in query.split("&") if part}
        rank = (path.count("{"), -len(fixed))
        found.append((rank, (http["method"], _pattern(path), fixed, name)))
    return [route for _, route in sorted(found, key=lambda one: one[0])]


def operation_at(
    service: str, method: str, raw_path: str, query: str
) -> tuple[str | None, dict[str, str]]:
    """Return the operation a request line means, and its path's parts; None where it is none."""
    said = set(query.split("&"))
    for wanted, pattern, fixed, name in _routes(service):
        match = pattern.fullmatch(raw_path) if method == wanted else None
        if match and fixed <= said:
            return name, {key: unquote(text) for key, text in match.groupdict().items()}
    return None, {}


def _pattern(path: str) -> re.Pattern[str]:
    text, end = "", 0
    for label in _LABEL.finditer(path):
        piece = ".+" if label[2] else "[^/]+"
        text += re.escape(path[end : label.start()]) + f"(?P<{label[1]}>{piece})"
        end = label.end()
    return re.compile(text + re.escape(path[end:]) + "/?")


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
        self.service = service
        self.handlers = handlers
        self._invalid = invalid
        self._failed = failed
        self._region = default_region
        self._invocations = CapacityLimiter(INVOCATIONS)
        self._changes = CapacityLimiter(CHANGES)

    async def answer(self, request: Request, *, region: str | None) -> Response:
        """Answer one request in the service's own form, whatever it is."""
        asked = _asked(request, await request.body())
        operation, labels = operation_at(self.service, asked.method, asked.path, asked.query)
        if operation is None:
            return await to_thread.run_sync(self._unknown, asked)
        if operation not in self.handlers:
            return _not_simulated(operation)
        work = partial(self._answered, operation, labels, asked, region or self._region)
        return await to_thread.run_sync(work, limiter=self._lane(operation))

    def _lane(self, operation: str) -> CapacityLimiter | None:
        """Return whose threads the operation takes; None for those that reads are sure to find."""
        if operation.startswith(_READS):
            return None
        return self._invocations if operation == _INVOKE else self._changes

    def _unknown(self, asked: _Asked) -> Response:
        """Refuse; an operation of another service that is signed as this one goes by its name."""
        for service in _SIGNED_AS.get(self.service, ()):
            operation, _ = operation_at(service, asked.method, asked.path, asked.query)
            if operation is not None:
                return _not_simulated(f"{operation} of {service}")
        return _not_simulated(f"{asked.method} {asked.path[:200]} of {self.service}")

    def _answered(
        self, operation: str, labels: Mapping[str, str], asked: _Asked, region: str
    ) -> Response:
        try:
            params = self._params(operation, labels, asked)
            return self._response(
                operation, self.handlers[operation](Call(operation, params, region))
            )
        except AwsError as error:
            return error.response()
        except RehearsalError as error:
            log_failure(error)
            return aws_error(self._failed, str(error))

    def _params(self, operation: str, labels: Mapping[str, str], asked: _Asked) -> dict[str, Any]:
        shape = service_model(self.service).operation_model(operation).input_shape
        if shape is None:
            return {}
        params = self._outside(shape, labels, asked)
        payload = shape.serialization.get("payload")
        if payload is not None:
            member = shape.members[payload]
            is_blob = member.type_name == "blob"
            params[payload] = asked.body if is_blob else self._json(asked.body)
        elif asked.body:
            params |= self._json(asked.body)
        checkable = _checkable(shape, params)
        findings = [
            f"{one.problem} at {one.path!r}, value: {shown(one.value)}, expected: {one.rule}"
            for one in itertools.islice(check_shape(shape, checkable), _COUNTED)
            if not (one.problem == "missing key" and _is_there(params, one.keys))
        ]
        if findings:
            raise AwsError(self._invalid, _detected(findings))
        try:
            decoded: dict[str, Any] = _decode(shape, params)
        except ValueError as error:
            raise AwsError(self._invalid, f"1 validation error detected: {error}") from None
        return decoded

    def _outside(self, shape: Shape, labels: Mapping[str, str], asked: _Asked) -> dict[str, Any]:
        """Return what stands in the path, the query and the headers."""
        query = parse_qs(asked.query, keep_blank_values=True)
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            key = member.serialization.get("name", name)
            if location == "uri":
                found[name] = labels[key]
            elif location == "querystring" and key in query:
                found[name] = self._typed(member, query[key], name)
            elif location == "header" and key.lower() in asked.headers:
                found[name] = asked.headers[key.lower()]
        return found

    def _typed(self, member: Shape, texts: list[str], name: str) -> Any:
        try:
            if member.type_name == "list":
                return texts
            if member.type_name in ("integer", "long"):
                return int(texts[0])
        except ValueError:
            words = f"Value {texts[0]!r} at {name!r}, expected: a whole number"
            raise AwsError(self._invalid, f"1 validation error detected: {words}") from None
        if member.type_name == "boolean":
            return texts[0].lower() == "true"
        return texts[0]

    def _json(self, body: bytes) -> dict[str, Any]:
        try:
            value = parse_json(body or b"{}")
        except ValueError as error:
            raise AwsError(self._invalid, f"the body is no usable JSON: {error}") from None
        if not isinstance(value, dict):
            raise AwsError(self._invalid, "the body is no JSON object")
        return value

    def _response(self, operation: str, reply: dict[str, Any] | Told | Reply) -> Response:
        if isinstance(reply, Reply):
            return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))
        told = reply if isinstance(reply, Told) else Told(reply, {})
        headers = dict(told.headers)
        model = service_model(self.service).operation_model(operation)
        status = model.http.get("responseCode", 200)
        if model.output_shape is None or status == 204:  # noqa: PLR2004 - no content
            return Response(status_code=status, headers=headers)
        content = _encode(model.output_shape, told.output)
        return JSONResponse(content, status_code=status, headers=headers)


def _asked(request: Request, body: bytes) -> _Asked:
    path, query = raw_path(request.scope), query_of(request.scope)
    return _Asked(request.method, path, query, request.headers, body)


def _not_simulated(what: str) -> Response:
    words = f"{what} is {NOT_SIMULATED} by the local endpoint"
    return aws_error("UnknownOperationException", words)


def _detected(findings: list[str]) -> str:
    count = f"{_COUNTED} or more" if len(findings) == _COUNTED else str(len(findings))
    errors = "error" if len(findings) == 1 else "errors"
    return f"{count} validation {errors} detected: {'; '.join(findings[:_SHOWN])}"


def _checkable(shape: Shape, value: Any) -> Any:
    """Leave out what the checks of the model can't judge."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            name: _checkable(shape.members[name], inner) if name in shape.members else inner
            for name, inner in value.items()
            if name not in shape.members or _can_be_checked(shape.members[name])
        }
    if shape.type_name == "list" and isinstance(value, list) and _can_be_checked(shape.member):
        return [_checkable(shape.member, inner) for inner in value]
    return value


def _can_be_checked(shape: Shape) -> bool:
    """Times and blobs are decoded instead; some patterns are Java's and not Python's."""
    if shape.type_name == "map":
        return _can_be_checked(shape.key) and _can_be_checked(shape.value)
    if shape.type_name == "list":
        return _can_be_checked(shape.member)
    return shape.type_name not in _OPAQUE and r"\p{" not in shape.metadata.get("pattern", "")


def _is_there(value: Any, keys: tuple[str | int, ...]) -> bool:
    for key in keys:
        if isinstance(value, dict) and key not in value:
            return False
        value = value[key]
    return True


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
