"""The console: one page about the server's jobs, and what its script asks for."""

from bedrock_rft_sim.server.console.paths import routes

__all__ = ["routes"]
