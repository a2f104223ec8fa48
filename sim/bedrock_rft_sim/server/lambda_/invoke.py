"""Invoke a function: wait for it, leave it alone, or only say whether it could be.

The log is what the function printed between the lines that Lambda writes, its last 4 KB.
Sources: AWS Lambda API reference, Invoke (TooManyRequestsException and its reasons).
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.grader.container import Fault, Outcome
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.server.errors import AwsError, invalid_parameter
from bedrock_rft_sim.server.json_body import parse_json
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState

TAIL_BYTES: Final = 4096
EVENT_BYTES: Final = 1024 * 1024
"""Of an asynchronous invocation."""
INVOKING_MAX: Final = 64
"""Synchronous invocations that run or wait; each holds a thread of the server."""
_DRY_RUN: Final = "DryRun"
_EVENT: Final = "Event"


class InvokeOperation:
    """Invoke."""

    def __init__(self, state: ServerState) -> None:
        self._store = state.functions
        self._free = threading.Semaphore(INVOKING_MAX)

    def invoke(self, call: Call) -> Response:
        """Run the function as the invocation type says."""
        reference, qualifier = call.params["FunctionName"], call.params.get("Qualifier")
        found = self._store.resolve(reference, qualifier, region=call.region)
        found.refuse_pending()
        kind = call.params.get("InvocationType", "RequestResponse")
        body = _checked(call.params.get("Payload") or b"{}", kind)
        if kind == _DRY_RUN:
            return Response(status_code=204, headers={"X-Amz-Executed-Version": found.version})
        if kind == _EVENT:
            is_taken = self._store.events.add(found.deployed, body)
            return Response(status_code=202) if is_taken else _too_many()
        if not self._free.acquire(blocking=False):
            return _too_many()
        try:
            outcome = self._run(found.deployed, body)
        finally:
            self._free.release()
        headers = {"X-Amz-Executed-Version": found.version, "Content-Type": "application/json"}
        headers["x-amzn-RequestId"] = outcome.request_id
        if call.params.get("LogType") == "Tail":
            lines = GraderLog(None, memory_mb=found.deployed.memory_mb).lines(outcome)
            tail = "".join(f"{line}\n" for line in lines).encode(errors="replace")[-TAIL_BYTES:]
            headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
        if isinstance(outcome.answer, Fault):
            headers["X-Amz-Function-Error"] = "Unhandled"
            # In ASCII: half a surrogate pair in a handler's message has no UTF-8.
            return Response(json.dumps(_payload(outcome.answer, outcome)), headers=headers)
        return Response(outcome.answer, headers=headers)

    def _run(self, deployed: Deployed, body: bytes) -> Outcome:
        try:
            return self._store.runner.invoke(deployed, body)
        except GraderError as error:
            raise invalid_parameter(str(error)) from None


def _checked(body: bytes, kind: str) -> bytes:
    most = EVENT_BYTES if kind == _EVENT else LAMBDA_PAYLOAD_BYTES
    if len(body) > most:
        words = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", words)
    try:
        parse_json(body)
    except ValueError as error:
        words = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", words) from None
    return body


def _too_many() -> Response:
    """Refuse as Lambda does above the account's concurrency."""
    code = "TooManyRequestsException"
    body = {
        "__type": code,
        "message": "Rate Exceeded.",
        "Reason": "ConcurrentInvocationLimitExceeded",
        "Type": "User",
    }
    headers = {"x-amzn-errortype": code, "Retry-After": "1"}
    return JSONResponse(body, status_code=429, headers=headers)


def _payload(fault: Fault, outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"errorMessage": fault.message, "errorType": fault.error_type}
    found["requestId"] = outcome.request_id
    return found | ({"stackTrace": list(fault.stack_trace)} if fault.stack_trace else {})
