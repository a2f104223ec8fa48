"""Warm containers: used by several, put away, killed at the end; events that wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedrock_rft_sim.server.lambda_ import runner
from bedrock_rft_sim.server.lambda_.runner import ClosingError, Deployed, EventQueue, FunctionRunner
from tests.jobs.conftest import wait_until
from tests.server.called import Called

Make = Callable[[str], Deployed]
SOON_S = 20.0
"""Far less than the functions' own timeout."""


def hanging(called: Called) -> bytes:
    return json.dumps({"hang": True, "port": called.port}).encode()


def test_a_function_stays_warm(deployed: Make) -> None:
    made = FunctionRunner()
    first, second = (made.invoke(deployed("a"), b"{}").answer for _ in range(2))
    assert isinstance(first, bytes)
    assert first == second
    made.close()


def test_a_container_that_somebody_is_about_to_use_is_not_put_away(
    deployed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "WARM_MAX", 1)
    made = FunctionRunner()
    held = made._take(deployed("a"))
    for name in ("b", "c"):
        made.invoke(deployed(name), b"{}")
    assert isinstance(held.invoke(b"{}").answer, bytes)
    made._give_back(held)
    assert len(made._warm) == 1
    made.close()


def test_the_end_kills_what_runs_and_tells_whoever_waits(deployed: Make, called: Called) -> None:
    made = FunctionRunner()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(made.invoke, deployed("a"), hanging(called))
        wait_until(called.once)
        queued = pool.submit(made.invoke, deployed("a"), b"{}")
        wait_until(lambda: made._warm[deployed("a").arn, "1"].users == 2)
        began = time.monotonic()
        made.close()
        assert time.monotonic() - began < SOON_S
        for each in (asked, queued):
            with pytest.raises(ClosingError):
                each.result(timeout=SOON_S)
    with pytest.raises(ClosingError):
        made.invoke(deployed("b"), b"{}")
    assert not made._warm


def test_a_container_that_starts_while_the_server_ends_is_killed(deployed: Make) -> None:
    made = FunctionRunner()
    warm = made._take(deployed("a"))
    start = runner.Container

    class Slow(start):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Container", Slow)
        with pytest.raises(ClosingError):
            warm.invoke(b'{"hang": true}')
    made._give_back(warm)


def test_events_wait_for_their_turn_and_run(deployed: Make, called: Called) -> None:
    made = FunctionRunner()
    queue = EventQueue(made)
    for _ in range(10):
        assert queue.add(deployed("a"), json.dumps({"port": called.port}).encode())
    wait_until(lambda: called.count() == 10)
    queue.close()
    made.close()


def test_more_events_than_may_wait_are_not_taken(
    deployed: Make, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "EVENTS_MAX", 2)
    made = FunctionRunner()
    queue = EventQueue(made)
    assert queue.add(deployed("a"), hanging(called))
    assert queue.add(deployed("a"), b"{}")
    assert not queue.add(deployed("a"), b"{}")
    wait_until(called.once)
    queue.close()
    made.close()
    wait_until(lambda: queue._free._value == 2)
    with pytest.raises(ClosingError):
        queue.add(deployed("a"), b"{}")


def test_an_event_that_cannot_be_run_is_in_the_servers_log(
    deployed: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no room for a container")

    monkeypatch.setattr(runner, "Container", broken)
    made = FunctionRunner()
    queue = EventQueue(made)
    queue.add(deployed("a"), b"{}")
    wait_until(lambda: "no room for a container" in caplog.text)
    queue.close()
    made.close()
