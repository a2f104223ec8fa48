"""A request id on every answer, successful or not, in the header where the service's clients look.

Sources: botocore's parsers (`ResponseMetadata.RequestId`); openai Python library (`_request_id`).
"""

from __future__ import annotations

import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedrock_rft_sim.server.dispatch import destination_of

HEADERS: Final = {
    "s3": "x-amz-request-id",
    "bedrock-mantle": "x-request-id",
    "console": "x-request-id",
}
OTHERS: Final = "x-amzn-requestid"


class RequestIds:
    """ASGI middleware around everything; an id that the answer has already stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an id."""
        name = HEADERS.get(destination_of(scope).service, OTHERS) if scope["type"] == "http" else ""

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(name, str(uuid.uuid4()))
            await send(message)

        await self._app(scope, receive, stamped)
