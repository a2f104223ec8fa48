"""A refusal in the form that a client of each service understands.

Sources: `bedrock_rft_sim.server.errors`, `.mantle.errors` and `.aws.moto_app`, one for each form.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from bedrock_rft_sim.server import errors
from bedrock_rft_sim.server.aws import moto_app
from bedrock_rft_sim.server.aws.moto_app import xml_error
from bedrock_rft_sim.server.console import replies
from bedrock_rft_sim.server.guard import Kind
from bedrock_rft_sim.server.mantle.errors import INVALID, SERVER, OpenAIError

CODES: Final[dict[Kind, str]] = {
    "foreign": "AccessDeniedException",
    "unknown": "AccessDeniedException",
    "too large": "RequestEntityTooLargeException",
    "too slow": "RequestTimeoutException",
}


def refusal(service: str, kind: Kind, message: str) -> Response:
    """Return the guard's refusal."""
    code = CODES[kind]
    status = errors.STATUS[code]
    if service == "bedrock-mantle":
        if kind == "unknown":
            return in_form(service, "invalid_api_key", message, status=HTTPStatus.UNAUTHORIZED)
        return OpenAIError(message, status=status).response()
    if service in moto_app.SERVICES:
        code = code.removesuffix("Exception")
    return in_form(service, code, message, status=status)


def in_form(service: str, code: str, message: str, *, status: int) -> Response:
    """Return a refusal by its code."""
    if service == "bedrock-mantle":
        kind = SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID
        kind = "rate_limit_error" if status == HTTPStatus.TOO_MANY_REQUESTS else kind
        return OpenAIError(message, status=status, kind=kind, code=code).response()
    if service == "console":
        return replies.json_reply({"error": message}, status=status)
    if service in moto_app.SERVICES:
        answer = xml_error(service, code, message, status=status)
        return Response(answer.body, status_code=status, headers=dict(answer.headers))
    return errors.aws_error(code, message, status=status)
