"""One model process for all tests of a session; starting one takes seconds."""

from __future__ import annotations

import atexit
from functools import cache

from bedrock_rft_sim.server.inference import Models


class _Shared(Models):
    """Outlives each of the servers that it answers for."""

    def close(self) -> None:
        """Do nothing."""


@cache
def shared_models() -> Models:
    """Return the process, ended with the session."""
    models = _Shared()
    atexit.register(super(_Shared, models).close)
    return models
