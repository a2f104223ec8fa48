"""Refusals in OpenAI's own form: `{"error": {"message", "type", "param", "code"}}`.

The exact bodies of bedrock-mantle are not known, so these follow OpenAI's.
Sources: openai Python library (`_exceptions.py`, how a body is read); OpenAI API reference, errors.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server.inference import Refused

INVALID = "invalid_request_error"
SERVER = "server_error"


class OpenAIError(Exception):
    """A refusal."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        super().__init__(message)

    def body(self) -> dict[str, dict[str, str | None]]:
        """Return the body."""
        words = {"message": self.message, "type": self.kind}
        return {"error": {**words, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """Return what the client gets."""
        is_ours = self.status == HTTPStatus.INTERNAL_SERVER_ERROR
        headers = {"x-should-retry": "false"} if is_ours else {}  # it would come out the same
        return JSONResponse(self.body(), status_code=self.status, headers=headers)


def unsupported(param: str, why: str = "The local endpoint does not simulate it.") -> OpenAIError:
    """Return the refusal of a parameter that is not simulated."""
    words = f"Unsupported parameter: '{param}'. {why}"
    return OpenAIError(words, param=param, code="unsupported_parameter")


def wrong(param: str, message: str, *, code: str = "invalid_value") -> OpenAIError:
    """Return the refusal of a value."""
    return OpenAIError(f"Invalid '{param}': {message}", param=param, code=code)


def missing(param: str) -> OpenAIError:
    """Return the refusal of a request without a required parameter."""
    words = f"Missing required parameter: '{param}'."
    return OpenAIError(words, param=param, code="missing_required_parameter")


def unknown_model(
    name: str, why: str = "does not exist or you do not have access to it."
) -> OpenAIError:
    """Return the refusal of a model that is not there, or not yet."""
    words = f"The model '{name}' {why}"
    return OpenAIError(words, status=404, param="model", code="model_not_found")


def model_failed(error: RehearsalError) -> OpenAIError:
    """Return how this API says that the model could not answer."""
    if isinstance(error, Refused):
        return OpenAIError(str(error), param="messages", code="messages_refused")
    return OpenAIError(str(error), status=500, kind=SERVER, code="model_error")
