"""The model that answers: a child process with the weights, and the server's side of talking to it.

The server itself never imports torch.
"""

from bedrock_rft_sim.engine.chat import ModelAnswer, ModelRequest
from bedrock_rft_sim.server.inference.disconnects import unless_disconnected
from bedrock_rft_sim.server.inference.models import (
    AnswerStream,
    Busy,
    Loading,
    ModelError,
    Models,
    Refused,
    TextPiece,
    start_stream,
)

__all__ = [
    "AnswerStream",
    "Busy",
    "Loading",
    "ModelAnswer",
    "ModelError",
    "ModelRequest",
    "Models",
    "Refused",
    "TextPiece",
    "start_stream",
    "unless_disconnected",
]
