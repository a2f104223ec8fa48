"""moto's S3, IAM and STS as functions of one request; the only module that knows moto.

moto keeps everything in memory; what outlives a restart is `bedrock_rft_sim.server.aws.local_s3`'s
business. What moto can't do, and what it stumbles over, is refused in the service's own form: never
HTML. Sources: moto 5.2 (`moto.moto_server.werkzeug_app`); PEP 3333.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO, Final
from urllib.parse import unquote
from xml.parsers.expat import ExpatError

from bedrock_rft_sim.server.aws.answers import Answer, Headers, not_simulated, xml_error
from bedrock_rft_sim.server.errors import log_failure

SERVICES: Final = ("s3", "iam", "sts")
# moto reads the Region and the service from the credential, whoever the client is.
SCOPE: Final = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request"
REFUSED: Final = 400
_SHOWN: Final = 200
_XML: Final = (b"<?xml", b"<Error")


class MotoApp:
    """Loads moto at the first call; one lock, because its state is shared and unguarded."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._apps: dict[str, Any] = {}

    def call(
        self,
        service: str,
        method: str,
        raw_path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | bytes = b"",
    ) -> Answer:
        """Answer one request; `raw_path` is percent-encoded, header names are lower-case."""
        environ = _environ(service, method, raw_path, query=query, headers=headers or {})
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        environ["wsgi.input"] = data
        environ["CONTENT_LENGTH"] = str(_size(data))
        with self._lock:
            answer = _call(self._app(service), environ)
        if answer.status < REFUSED or method == "HEAD" or answer.body.startswith(_XML):
            return answer
        return not_simulated(service, f"moto, which serves it, answers {answer.status}")

    def _app(self, service: str) -> Any:
        if service not in self._apps:
            from moto.moto_server.werkzeug_app import create_backend_app

            app = create_backend_app(service)  # type: ignore[arg-type]
            app.debug = False
            app.register_error_handler(Exception, partial(_refused, service))
            self._apps[service] = app
        return self._apps[service]


def _refused(service: str, error: Exception) -> Any:
    """Return what Flask answers where moto raised."""
    from werkzeug.exceptions import HTTPException

    if isinstance(error, HTTPException):  # moto's own refusals, which know their form
        return error
    answer = _told(service, error)
    return answer.body, answer.status, dict(answer.headers)


def _told(service: str, error: Exception) -> Answer:
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


def _size(data: BinaryIO) -> int:
    data.seek(0, io.SEEK_END)
    size = data.tell()
    data.seek(0)
    return size


def _environ(
    service: str, method: str, raw_path: str, *, query: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        # PEP 3333: bytes in the shape of Latin-1 text.
        "PATH_INFO": unquote(raw_path, encoding="latin-1"),
        "RAW_URI": raw_path + (f"?{query}" if query else ""),
        "QUERY_STRING": query,
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
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING", "HOST"):
            environ[f"HTTP_{key}"] = value
    return environ


def _call(app: Any, environ: dict[str, Any]) -> Answer:
    begun: list[Any] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> None:  # noqa: ARG001
        begun[:] = [int(status.split(" ", 1)[0]), headers]

    pieces = app(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    return Answer(begun[0], begun[1], body)
