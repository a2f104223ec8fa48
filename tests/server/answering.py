"""One model process for all tests of a session; starting one takes seconds."""

from __future__ import annotations

import atexit
from functools import cache

from bedrock_rft_sim.server.inference import Models


@cache
def shared_models() -> Models:
    """Return the process, ended with the session."""
    models = Models()
    atexit.register(models.close)
    return models
