"""bedrock-runtime: ask base and tuned models."""

from sim.server.runtime.routes import routes

__all__ = ["routes"]
