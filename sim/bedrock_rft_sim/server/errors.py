"""Refusals in AWS's own form: `{"message": …}`, a status, and the type in `x-amzn-errortype`.

Deliberately never HTML and never an empty body, so that every SDK shows the reason.
Sources: AWS rest-json protocol as botocore reads it; exception lists of botocore's service models.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.errors import RehearsalError

NOT_SIMULATED = "not simulated"
INSTEAD: Final = {
    "ProvisionedModelThroughput": "deploy the model with CreateCustomModelDeployment and call it "
    "by the deployment's ARN, on demand",
    "FunctionConcurrency": "leave the call out: a function handles one event at a time here",
    "ProvisionedConcurrency": "leave the call out: a function stays warm here",
}
"""What to do instead, by a part of the operation's name."""
_LOG = logging.getLogger(__name__)
STATUS = {
    "ValidationException": 400,
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "InvalidParameterException": 400,
    "ConflictException": 400,
    "TooManyTagsException": 400,
    "UnknownOperationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "RequestTimeoutException": 408,
    "PreconditionFailedException": 412,
    "ResourceConflictException": 409,
    "RequestEntityTooLargeException": 413,
    "RequestTooLargeException": 413,
    "ThrottlingException": 429,
    "ModelNotReadyException": 429,
    "InternalServerException": 500,
    "ServiceException": 500,
    "ServiceUnavailableException": 503,
}


class AwsError(Exception):
    """A refusal by its AWS name."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")

    def response(self) -> Response:
        """Return what the client gets."""
        return aws_error(self.code, self.message)


def aws_error(code: str, message: str, *, status: int | None = None) -> JSONResponse:
    """Return a refusal in AWS's form."""
    return JSONResponse(
        {"message": message, "__type": code},
        status_code=status or STATUS[code],
        headers={"x-amzn-errortype": code},
    )


invalid: Final = partial(AwsError, "ValidationException")
invalid_parameter: Final = partial(AwsError, "InvalidParameterValueException")
"""Lambda's word for a ValidationException."""
not_found: Final = partial(AwsError, "ResourceNotFoundException")
conflict: Final = partial(AwsError, "ConflictException")


def not_simulated(what: str) -> AwsError:
    """Return the refusal of an operation that is not simulated, and what to do instead."""
    words = f"{what} is {NOT_SIMULATED} by the local endpoint"
    advice = next((advice for part, advice in INSTEAD.items() if part in what), None)
    return AwsError("UnknownOperationException", f"{words}; {advice}" if advice else words)


def detected(
    problems: Sequence[str], *, shown: int | None = None, counted: int | None = None
) -> str:
    """Say what is wrong with a request as AWS does, at most `shown` of it.

    `counted` is where the search for problems ended, however many there are.
    """
    count = f"{counted} or more" if len(problems) == counted else str(len(problems))
    errors = "error" if len(problems) == 1 else "errors"
    return f"{count} validation {errors} detected: {'; '.join(problems[:shown])}"


def log_failure(error: Exception) -> None:
    """Write to the server's log what a client gets in fewer words; it goes to standard error.

    An error that says what, where and what next needs no traceback.
    """
    if isinstance(error, RehearsalError):
        _LOG.error("a request failed: %s", error)
    else:
        _LOG.error("a request failed", exc_info=error)


def own_mistake(error: Exception) -> str:
    """Say that the endpoint itself failed; the traceback goes to the server's log."""
    return f"{type(error).__name__} in the local endpoint; the server's log has the traceback"


def internal_error(_request: Request, error: Exception) -> Response:
    """Answer our own mistake."""
    return aws_error("InternalServerException", own_mistake(error))
