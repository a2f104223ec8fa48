"""Let calls fail as the file of faults says, in the form of the service that was called.

Sources: AWS's common errors of each service; OpenAI API reference, error codes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.recipe.wording import did_you_mean
from bedrock_rft_sim.server.dispatch import destination_of
from bedrock_rft_sim.server.faults import FaultRule
from bedrock_rft_sim.server.forms import in_form
from bedrock_rft_sim.server.request_line import operation_at

SLOW_S: Final = 1.0
"""What a slow call that says no time takes longer."""
BY_FORM: Final = ("iam", "sts")
"""Services whose requests name their operation in the body."""
BY_LINE: Final = ("bedrock", "bedrock-runtime", "lambda", "s3", "logs")
THROTTLED: Final[Mapping[str, tuple[str, int]]] = {
    "lambda": ("TooManyRequestsException", 429),
    "s3": ("SlowDown", 503),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "bedrock-mantle": ("rate_limit_exceeded", 429),
}
"""By service; a ThrottlingException of all others."""
FAILED: Final[Mapping[str, tuple[str, int]]] = {
    "lambda": ("ServiceException", 500),
    "s3": ("InternalError", 500),
    "iam": ("ServiceFailure", 500),
    "sts": ("InternalFailure", 500),
    "logs": ("ServiceUnavailableException", 503),
    "bedrock-mantle": ("server_error", 500),
}
"""By service; an InternalServerException of all others."""


class Failing:
    """ASGI middleware around the services.

    Raises:
        RecipeError: a rule is for an operation that there is not.
    """

    def __init__(
        self, app: ASGIApp, *, rules: Sequence[FaultRule], openai_routes: Sequence[Route]
    ) -> None:
        self._app = app
        self._rules = rules
        self._routes = openai_routes
        self._counts: Counter[int] = Counter()
        self._lock = threading.Lock()
        _refuse_unknown(rules, openai_routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or fail."""
        service = destination_of(scope).service
        operation, receive = await self._operation(service, scope, receive)
        rule = self._due(operation)
        if rule is None:
            await self._app(scope, receive, send)
            return
        if rule.fault == "slow":
            await asyncio.sleep(SLOW_S if rule.seconds is None else rule.seconds)
            await self._app(scope, receive, send)
            return
        if rule.fault == "timeout":
            await self._app(scope, receive, _unsaid)
            await _until_gone(receive, seconds=rule.seconds)
        await _refusal(rule, service)(scope, receive, send)

    def _due(self, operation: str) -> FaultRule | None:
        """Count a call; return the rule by which it fails."""
        with self._lock:
            found = [each for each in enumerate(self._rules) if each[1].operation == operation]
            self._counts.update(number for number, _ in found)
            for number, rule in found:
                if rule.calls is None or self._counts[number] in rule.calls:
                    return rule
        return None

    async def _operation(self, service: str, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """Return the operation that a request means, and how to read its body from now on."""
        if service in BY_FORM:
            body = await Request(scope, receive).body()
            action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
            return f"{service}.{action}", _again(body, receive)
        if service in BY_LINE:
            return f"{service}.{operation_at(service, scope)[0]}", receive
        for route in self._routes if service == "bedrock-mantle" else ():
            if route.matches(scope)[0] is Match.FULL:
                return _named(scope["method"], route), receive
        return "", receive


def _named(method: str, route: Route) -> str:
    return f"{method} /v1{route.path.removeprefix('/v1')}"


def _refuse_unknown(rules: Sequence[FaultRule], openai_routes: Sequence[Route]) -> None:
    known = {
        f"{service}.{name}"
        for service in (*BY_FORM, *BY_LINE)
        for name in service_model(service).operation_names
    }
    known |= {_named(one, route) for route in openai_routes for one in route.methods or ()}
    for rule in rules:
        if rule.operation not in known:
            raise RecipeError(
                "a fault is for an operation that there is not",
                where="faults.operation",
                expected="such as bedrock.CreateModelCustomizationJob or POST /v1/files",
                found=repr(rule.operation),
                hint=did_you_mean(rule.operation, sorted(known)),
            )


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body once more, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return left.pop() if left else await receive()

    return give


async def _unsaid(_message: Message) -> None:
    """Send nothing."""


async def _until_gone(receive: Receive, *, seconds: float | None) -> None:
    """Wait until the client has gone, or so many seconds."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), seconds)
    except TimeoutError:
        return


def _refusal(rule: FaultRule, service: str) -> Response:
    words = f"(a fault on purpose: --faults says {rule.operation} is {rule.fault})"
    if rule.fault == "throttled":
        code, status = THROTTLED.get(service, ("ThrottlingException", 429))
        return in_form(service, code, f"Rate exceeded {words}", status=status)
    code, status = FAILED.get(service, ("InternalServerException", 500))
    response = in_form(service, code, f"Internal error {words}", status=status)
    del response.headers["x-should-retry"]  # unlike a mistake of our own, it may pass
    return response
