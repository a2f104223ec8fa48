"""moto's S3, IAM and STS as functions of one request; the only module that knows moto.

moto keeps everything in memory but large objects (`bedrock_rft_sim.server.aws.bodies`); what
outlives a restart is `bedrock_rft_sim.server.aws.local_s3`'s business. What moto can't do, and what
it stumbles over, is refused in the service's own form, which is XML: never HTML.
Sources: moto 5.2 (`moto.moto_server.werkzeug_app`); PEP 3333; Amazon S3 API reference, error
responses; IAM Query API, `ErrorResponse`.
"""

from __future__ import annotations

import io
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any, Final
from urllib.parse import unquote
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from bedrock_rft_sim.server.aws.bodies import LARGE, StoredBody, teach_moto
from bedrock_rft_sim.server.errors import NOT_SIMULATED, log_failure

SERVICES: Final = ("s3", "iam", "sts")
# moto reads the Region and the service from the credential, whoever the client is.
SCOPE: Final = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request"
REFUSED: Final = 400
_SHOWN: Final = 200
_STORED: Final = "bedrock_rft_sim.body"
_XML: Final = (b"<?xml", b"<Error")


@dataclass(frozen=True, slots=True)
class MotoRequest:
    """A request to one of moto's services."""

    method: str
    raw_path: str
    """Percent-encoded."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names are lower-case."""
    body: IO[bytes] | bytes | StoredBody = b""


@dataclass(frozen=True, slots=True)
class MotoResponse:
    """A response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    stream: Iterable[bytes] | None = None
    """The body of a large object, piece by piece and once, in place of `body`."""

    def pieces(self) -> Iterable[bytes]:
        """Return the body, whole or piece by piece."""
        return [self.body] if self.stream is None else self.stream


class MotoApp:
    """Loads moto at the first call; one lock, because its state is shared and unguarded."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._apps: dict[str, Any] = {}

    def call(self, service: str, request: MotoRequest) -> MotoResponse:
        """Answer one request."""
        environ = _environ(service, request)
        environ |= _input(request.body)
        with self._lock:
            answer = self._run(service, environ)
        is_whole = answer.status < REFUSED or request.method == "HEAD"
        if is_whole or answer.body.startswith(_XML):
            return answer
        return not_simulated(service, f"moto, which serves it, answers {answer.status}")

    def _run(self, service: str, environ: dict[str, Any]) -> MotoResponse:
        from werkzeug.test import run_wsgi_app

        pieces, status, headers = run_wsgi_app(self._app(service), environ)
        code, named = int(status.split(" ", 1)[0]), headers.to_wsgi_list()
        if environ["REQUEST_METHOD"] == "GET" and int(headers.get("content-length", 0)) >= LARGE:
            return MotoResponse(code, named, b"", pieces)
        return MotoResponse(code, named, b"".join(pieces))

    def _app(self, service: str) -> Any:
        if service not in self._apps:
            from moto.core.config import default_user_config
            from moto.moto_server.werkzeug_app import create_backend_app

            default_user_config["iam"]["load_aws_managed_policies"] = True
            app = create_backend_app(service)  # type: ignore[arg-type]
            app.debug = False
            if service == "s3":  # whose bodies are contents, whatever they are called
                teach_moto()
                whole = {"want_form_data_parsed": False, "data": property(_data)}
                app.request_class = type("WholeRequest", (app.request_class,), whole)
            app.register_error_handler(Exception, partial(_refused, service))
            self._apps[service] = app
        return self._apps[service]


def _input(body: IO[bytes] | bytes | StoredBody) -> dict[str, Any]:
    if isinstance(body, StoredBody):
        return {_STORED: body, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": str(len(body))}
    data = io.BytesIO(body) if isinstance(body, bytes) else body
    size = data.seek(0, io.SEEK_END)
    data.seek(0)
    return {"wsgi.input": data, "CONTENT_LENGTH": str(size)}


def _data(request: Any) -> bytes | StoredBody:
    """Return a request's body as moto asks for it."""
    stored: StoredBody | None = request.environ.get(_STORED)
    return request.get_data() if stored is None else stored


def _refused(service: str, error: Exception) -> Any:
    """Return what Flask answers where moto raised."""
    from werkzeug.exceptions import HTTPException

    if isinstance(error, HTTPException):  # moto's own refusals, which know their form
        return error
    answer = _refusal(service, error)
    return answer.body, answer.status, dict(answer.headers)


def _refusal(service: str, error: Exception) -> MotoResponse:
    from botocore.model import OperationNotFoundError

    if isinstance(error, ExpatError):
        return xml_error(service, "MalformedXML", f"the XML can't be read: {error}", status=400)
    if isinstance(error, ValueError):
        return xml_error(service, "InvalidArgument", str(error)[:_SHOWN], status=400)
    if isinstance(error, NotImplementedError | OperationNotFoundError):
        return not_simulated(service, str(error)[:_SHOWN])
    log_failure(error)
    name = type(error).__name__
    words = f"moto, which serves it, stumbled ({name}); the server's log has the traceback"
    return not_simulated(service, words)


def _environ(service: str, request: MotoRequest) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        # PEP 3333: bytes in the shape of Latin-1 text.
        "PATH_INFO": unquote(request.raw_path, encoding="latin-1"),
        "RAW_URI": request.raw_path + (f"?{request.query}" if request.query else ""),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": SCOPE.format(service=service),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING", "HOST"):
            environ[f"HTTP_{key}"] = value
    return environ


def xml_error(service: str, code: str, message: str, *, status: int) -> MotoResponse:
    """Return a refusal in the service's form."""
    words = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request = f"<RequestId>{uuid.uuid4()}</RequestId>"
    if service == "s3":
        text = f"<Error>{words}{request}</Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{words}</Error>{request}</ErrorResponse>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    # What XML has no place for, such as NUL, is a character in no refusal.
    clean = "".join(each for each in body if each >= " " or each in "\n\t")
    return MotoResponse(
        status, (("Content-Type", "application/xml"),), clean.encode("utf-8", "replace")
    )


def not_simulated(service: str, why: str) -> MotoResponse:
    """Return the refusal of what moto doesn't know, by the service's own name for it."""
    words = f"this is {NOT_SIMULATED} by the local endpoint: {why}"
    if service == "s3":
        return xml_error(service, "NotImplemented", words, status=501)
    return xml_error(service, "InvalidAction", words, status=400)
