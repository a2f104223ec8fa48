"""The console: one page about the server's jobs, and what its script asks for."""
