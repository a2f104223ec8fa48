"""The one model process that all doors of a server share.

Sources: none of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bedrock_rft_sim.server.inference.models import Models

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState


_making = threading.Lock()


def models_of(state: ServerState) -> Models:
    """Return the server's models; the first to ask makes them, the server's end closes them."""
    with _making:
        if state.models is None:
            models = Models(log=state.root / "models.log")
            state.models = models
            state.closers.append(models.close)
    found: Models = state.models
    return found
