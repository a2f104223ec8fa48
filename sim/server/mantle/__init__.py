"""bedrock-mantle: the doors shaped like OpenAI's."""

from sim.server.mantle.routes import routes

__all__ = ["routes"]
