"""bedrock-mantle: the doors shaped like OpenAI's."""

from sim.server.mantle.routes import OPERATIONS, routes

__all__ = ["OPERATIONS", "routes"]
