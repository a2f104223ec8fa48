"""Lambda's Python runtime client in the standard library, where AWS's own has no wheel.

Run in the child process; not imported by `sim`.
It speaks the same Runtime API and words its errors as AWS's client does.
Left out: SnapStart, JSON logging, client context and Cognito identity, and simplejson's habit of
writing a named tuple as an object.

Source: AWS Lambda developer guide, "Using the Lambda runtime API" and "Python handler"; behaviour
compared with awslambdaric 4.2 by running the same tests against both.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

API = "/2018-06-01/runtime"
Handler = Callable[[Any, "Context"], Any]


class SetupError(Exception):
    """A fault of the function's set-up, with the type AWS gives it."""

    def __init__(self, error_type: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.trace = trace or []


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.client_context = None
        self.identity = None
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout, never negative."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the log without adding a line end."""
        sys.stdout.write(str(message))


class Client:
    """One kept-open connection to the Runtime API."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._sock = socket.create_connection((host, int(port)))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._sock.makefile("rb")
        self._host = address

    def next(self) -> tuple[dict[str, str], bytes]:
        """Wait for the next event."""
        return self._call("GET", f"{API}/invocation/next")

    def post(self, path: str, body: bytes, *, content_type: str = "application/json") -> None:
        """Deliver a result or an error."""
        self._call("POST", API + path, body=body, content_type=content_type)

    def _call(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[dict[str, str], bytes]:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._sock.sendall(head.encode("latin-1") + body)
        status = self._file.readline().split(b" ")
        if len(status) < 2 or not status[1].startswith(b"20"):  # noqa: PLR2004 - HTTP/1.1 2xx
            raise RuntimeError(f"Runtime API refused {method} {path}: {status}")
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return headers, self._file.read(int(headers["content-length"]))


def run(handler_name: str, address: str) -> None:
    """Load the handler, then answer events until the process is killed."""
    request_id = _set_up_logging()
    client = Client(address)
    try:
        handler = load_handler(handler_name)
    except Exception as error:  # noqa: BLE001 - the function's own code
        body = error_report(error)
        _log_error(body)
        client.post("/init/error", _encode(body))
        sys.exit(1)
    while True:
        headers, event = client.next()
        context = Context(headers)
        request_id[0] = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        _answer(client, handler, event, context)


def _answer(client: Client, handler: Handler, event: bytes, context: Context) -> None:
    path = f"/invocation/{context.aws_request_id}"
    try:
        body, content_type = marshal(handler(unmarshal(event), context))
    except Exception as error:  # noqa: BLE001 - the function's own code
        report = error_report(error, request_id=context.aws_request_id)
        _log_error(report)
        client.post(f"{path}/error", _encode(report))
    else:
        client.post(f"{path}/response", body, content_type=content_type)


def load_handler(name: str) -> Handler:
    """Import `module.function`."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise SetupError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".", 1)[0] in sys.builtin_module_names:
        raise SetupError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise SetupError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        raise SetupError(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'],
        ) from error
    if not hasattr(module, function):
        raise SetupError(
            "Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'"
        )
    handler: Handler = getattr(module, function)
    return handler


def unmarshal(event: bytes) -> object:
    """The event as Python objects."""
    try:
        return json.loads(event)
    except ValueError as error:
        raise SetupError("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def marshal(result: object) -> tuple[bytes, str]:
    """The handler's result as it travels; bytes pass untouched."""
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return _encode(result), "application/json"
    except Exception as error:
        raise SetupError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def error_report(error: Exception, *, request_id: str = "") -> dict[str, Any]:
    """An error in Lambda's own shape; the trace starts in the function's code."""
    if isinstance(error, SetupError):
        error_type, trace = error.error_type, error.trace
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename != __file__]
        error_type, trace = type(error).__name__, traceback.format_list(own)
    return {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": trace,
    }


def _encode(value: object) -> bytes:
    return json.dumps(value, default=_encode_other).encode()


def _encode_other(value: object) -> float:
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _log_error(report: dict[str, Any]) -> None:
    lines = [f"[ERROR] {report['errorType']}: {report['errorMessage']}"]
    lines += ["Traceback (most recent call last):", *map(str.rstrip, report["stackTrace"])]
    sys.stdout.write("\n".join(lines) + "\n")


def _set_up_logging() -> list[str]:
    """Send the root logger to the log as Lambda does; the list holds the current request id."""
    request_id = [""]

    def add_request_id(record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id[0]
        return True

    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
    )
    handler.addFilter(add_request_id)
    logging.getLogger().addHandler(handler)
    return request_id
