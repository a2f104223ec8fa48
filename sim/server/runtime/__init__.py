"""bedrock-runtime: ask base and tuned models."""

from sim.server.runtime.routes import OPERATIONS, routes

__all__ = ["OPERATIONS", "routes"]
