"""Asynchronous invocations: a queue with an end, and a few threads that run it.

Each event is run once: without Lambda's retries, destinations and dead-letter queues. What still
waits when the server ends is not run.
Sources: AWS Lambda developer guide, "Asynchronous invocation".
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from bedrock_rft_sim.grader.container import Outcome
from bedrock_rft_sim.server.errors import log_failure
from bedrock_rft_sim.server.lambda_.runner import Closing, Deployed, Runner, closing

EVENTS_MAX: Final = 100
"""Of 1 MB each at most, waiting and running."""
THREADS: Final = 4


class Events:
    """Events that wait for their turn."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._free = threading.Semaphore(EVENTS_MAX)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lambda-event")

    def add(self, deployed: Deployed, event: bytes) -> bool:
        """Take an event for later; False where too many wait already.

        Raises:
            Closing: the server ends.
        """
        if not self._free.acquire(blocking=False):
            return False
        try:
            future = self._threads.submit(self._runner.invoke, deployed, event)
        except RuntimeError:  # shut down
            raise closing() from None
        future.add_done_callback(self._ended)
        return True

    def close(self) -> None:
        """Run no more events."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: Future[Outcome]) -> None:
        self._free.release()
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Exception) and not isinstance(error, Closing):
            log_failure(error)
