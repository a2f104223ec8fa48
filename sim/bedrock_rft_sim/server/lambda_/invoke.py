"""Invoke a function: wait for it, leave it alone, or only say whether it could be.

The log is what the function printed between the lines that Lambda writes, its last 4 KB.
Sources: AWS Lambda API reference, Invoke (TooManyRequestsException and its reasons).
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.container import Fault, Outcome
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.json_body import parse_json
from bedrock_rft_sim.server.lambda_.runner import Closing, Deployed
from bedrock_rft_sim.server.lambda_.store import Resolved
from bedrock_rft_sim.server.rest import Call, Reply

if TYPE_CHECKING:
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

    def invoke(self, call: Call) -> Reply:
        """Run the function as the invocation type says."""
        reference, qualifier = call.params["FunctionName"], call.params.get("Qualifier")
        found = self._store.resolve(reference, qualifier, region=call.region)
        kind = call.params.get("InvocationType", "RequestResponse")
        body = _checked(call.params.get("Payload") or b"{}", kind)
        deployed = deployed_of(found)
        if kind == _DRY_RUN:
            return Reply(204, b"", {"X-Amz-Executed-Version": found.version})
        if kind == _EVENT:
            return Reply(202, b"") if self._is_taken(deployed, body) else _too_many()
        if not self._free.acquire(blocking=False):
            return _too_many()
        try:
            outcome = self._run(deployed, body)
        finally:
            self._free.release()
        headers = {"X-Amz-Executed-Version": found.version, "Content-Type": "application/json"}
        headers["x-amzn-RequestId"] = outcome.request_id
        if call.params.get("LogType") == "Tail":
            tail = _log(outcome, deployed.memory_mb)[-TAIL_BYTES:]
            headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
        if isinstance(outcome.answer, Fault):
            headers["X-Amz-Function-Error"] = "Unhandled"
            return Reply(200, json.dumps(_payload(outcome.answer, outcome)).encode(), headers)
        return Reply(200, outcome.answer, headers)

    def _is_taken(self, deployed: Deployed, body: bytes) -> bool:
        try:
            return self._store.events.add(deployed, body)
        except Closing as error:
            raise AwsError("ServiceException", str(error)) from None

    def _run(self, deployed: Deployed, body: bytes) -> Outcome:
        try:
            return self._store.runner.invoke(deployed, body)
        except HandlerError as error:
            raise AwsError("InvalidParameterValueException", str(error)) from None
        except Closing as error:
            raise AwsError("ServiceException", str(error)) from None


def deployed_of(found: Resolved) -> Deployed:
    """Return how a resolved function runs."""
    settings = found.configuration
    return Deployed(
        arn=found.arn,
        code=found.code,
        handler=settings["Handler"],
        timeout_s=settings["Timeout"],
        memory_mb=settings["MemorySize"],
        environment=settings.get("Environment", {}).get("Variables", {}),
        revision=settings["RevisionId"],
    )


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


def _too_many() -> Reply:
    """Refuse as Lambda does above the account's concurrency."""
    code = "TooManyRequestsException"
    body = {
        "message": "Rate Exceeded.",
        "Reason": "ConcurrentInvocationLimitExceeded",
        "Type": "User",
    }
    headers = {"x-amzn-errortype": code, "Content-Type": "application/json", "Retry-After": "1"}
    return Reply(429, json.dumps({"__type": code, **body}).encode(), headers)


def _payload(fault: Fault, outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"errorMessage": fault.message, "errorType": fault.error_type}
    found["requestId"] = outcome.request_id
    return found | ({"stackTrace": list(fault.stack_trace)} if fault.stack_trace else {})


def _log(outcome: Outcome, memory_mb: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        GraderLog(path, memory_mb=memory_mb).write(outcome)
        return path.read_bytes()
