"""What is refused before any door sees it, in the form of the door that was asked.

Sources: the forms of `bedrock_rft_sim.server.errors`, `.aws.answers`, `.mantle.errors` and
`.console.replies`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from bedrock_rft_sim.server.aws.answers import xml_error
from bedrock_rft_sim.server.aws.moto_app import SERVICES as MOTO_SERVICES
from bedrock_rft_sim.server.console.replies import json_reply
from bedrock_rft_sim.server.errors import STATUS, aws_error
from bedrock_rft_sim.server.guard import Kind
from bedrock_rft_sim.server.mantle.errors import OpenAIError

CODES: Final[dict[Kind, str]] = {
    "foreign": "AccessDeniedException",
    "unknown": "AccessDeniedException",
    "too large": "RequestEntityTooLargeException",
    "too slow": "RequestTimeoutException",
}


def refusal(service: str, kind: Kind, message: str) -> Response:
    """Return the refusal that a client of this door understands."""
    code = CODES[kind]
    status = STATUS[code]
    if service == "bedrock-mantle":
        return _of_openai(kind, message, status)
    if service == "console":
        return json_reply({"error": message}, status=status)
    if service in MOTO_SERVICES:
        answer = xml_error(service, code.removesuffix("Exception"), message, status=status)
        return Response(answer.body, status_code=status, headers=dict(answer.headers))
    return aws_error(code, message)


def _of_openai(kind: Kind, message: str, status: int) -> Response:
    if kind == "unknown":
        unauthorized = HTTPStatus.UNAUTHORIZED
        return OpenAIError(message, status=unauthorized, code="invalid_api_key").response()
    return OpenAIError(message, status=status).response()
