"""Work through points with a number of workers, say how far it is, and stop upon Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.plan import Point, described_changes
from bedrock_rft_sim.sweep.points import Interrupted, PointRunner

MINUTE_S = 60


@dataclass
class Pace:
    """Counts what is done, and works out the time left from what was made since the start."""

    total: int
    workers: int
    say: Callable[[str], None]
    done: int = 0
    _seconds: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reused(self, what: str) -> None:
        """Count something finished earlier."""
        with self._lock:
            self.done += 1
            self.say(f"[{self.done}/{self.total}] {what}: finished earlier")

    def made(self, what: str, seconds: float) -> None:
        """Count something made now."""
        with self._lock:
            self.done += 1
            self._seconds.append(seconds)
            self.say(f"[{self.done}/{self.total}] {what}; {took(seconds)}{self._left()}")

    def _left(self) -> str:
        left = self.total - self.done
        mean = sum(self._seconds) / len(self._seconds)
        seconds = max(1.0, mean * left / self.workers)  # 0 s would say that nothing is left
        return f", about {took(seconds)} left" if left > 0 else ""


def took(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    minutes = seconds / MINUTE_S
    return f"{minutes:.0f} min" if minutes < MINUTE_S else f"{minutes / MINUTE_S:.1f} h"


def make_all(points: Sequence[Point], runner: PointRunner, *, pace: Pace) -> list[PointOutcome]:
    """Make every point and return the outcomes in order.

    Raises:
        KeyboardInterrupt: the user stopped it; what is made is kept.
    """
    queue = deque(enumerate(points))
    found: dict[int, PointOutcome] = {}
    lock = threading.Lock()

    def work() -> None:
        while (taken := _next(queue, runner, lock)) is not None:
            at, point = taken
            found[at] = _make_one(point, runner, pace)

    in_parallel([work] * pace.workers, runner)
    return [found[at] for at in range(len(points))]


def _make_one(point: Point, runner: PointRunner, pace: Pace) -> PointOutcome:
    what = f"{described_changes(point.changes)}, seed {point.seed}"
    began, was_finished = time.monotonic(), runner.is_finished(point)
    outcome = runner.make(point)
    if was_finished:
        pace.reused(what)
    else:
        pace.made(f"{what}: {_ending(outcome)}", time.monotonic() - began)
    return outcome


def _ending(outcome: PointOutcome) -> str:
    if outcome.value is not None:
        return f"{outcome.value:.3f}"
    first = (outcome.why or "").splitlines()
    return f"failed: {first[0] if first else 'no reason known'}"


def _next(
    queue: deque[tuple[int, Point]], runner: PointRunner, lock: threading.Lock
) -> tuple[int, Point] | None:
    """Take the first point nobody else is at work on; if all are taken, the first to wait for."""
    with lock:
        for _ in range(len(queue)):
            if not runner.is_taken(queue[0][1]):
                break
            queue.rotate(-1)
        return queue.popleft() if queue else None


def in_parallel(works: Sequence[Callable[[], None]], runner: PointRunner) -> None:
    """Run these in threads; a first Ctrl-C stops the children after their step, a second kills.

    Raises:
        KeyboardInterrupt: it was stopped.
    """
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except KeyboardInterrupt:
            runner.say("stopping after the steps in progress; press Ctrl-C again to stop at once")
            runner.stop()
            try:
                wait(futures)
            except KeyboardInterrupt:
                runner.kill()
            raise
        except Interrupted:
            raise KeyboardInterrupt from None
        except BaseException:
            runner.stop()
            raise
