"""Cancel the work for a client once it has disconnected.

Starlette reports a disconnect only after a response has begun.
Sources: ASGI, `http.disconnect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from bedrock_rft_sim.server.inference.models import ModelError

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")


class ClientLeftError(ModelError):
    """The client has gone, so that nobody will read this."""


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gives; it is cancelled when the client leaves or we are.

    The request's body must have been read: what comes after it can only be the leaving.

    Raises:
        ClientLeftError: the client left.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        await leaving
        raise ClientLeftError("the client left before its answer was there")
    finally:
        for each in (working, leaving):
            each.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
