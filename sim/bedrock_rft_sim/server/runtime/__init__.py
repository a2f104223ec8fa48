"""bedrock-runtime: ask base and tuned models."""

from bedrock_rft_sim.server.runtime.routes import OPERATIONS, routes

__all__ = ["OPERATIONS", "routes"]
