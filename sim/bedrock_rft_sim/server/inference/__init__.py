"""The model that answers: a child process with the weights, and the server's side of talking to it.

The server itself never imports torch.
"""

from bedrock_rft_sim.server.inference.leaving import while_there
from bedrock_rft_sim.server.inference.models import (
    Answer,
    Ask,
    Busy,
    ModelError,
    Models,
    Piece,
    Refused,
    Told,
    begun,
)
from bedrock_rft_sim.server.inference.of_state import models_of

__all__ = [
    "Answer",
    "Ask",
    "Busy",
    "ModelError",
    "Models",
    "Piece",
    "Refused",
    "Told",
    "begun",
    "models_of",
    "while_there",
]
