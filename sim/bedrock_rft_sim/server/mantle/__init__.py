"""bedrock-mantle: the doors shaped like OpenAI's."""

from bedrock_rft_sim.server.mantle.routes import OPERATIONS, routes

__all__ = ["OPERATIONS", "routes"]
