"""The endpoint over a real socket, with a stub in place of the training, and clients for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.server.running import bind, server_of, url_of
from bedrock_rft_sim.server.state import ServerState
from tests.jobs.conftest import stub_command
from tests.server.called import Called

START_S = 20.0


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint: its address and, because it runs in this process, its state."""

    url: str
    state: ServerState

    def client(self, service: str, *, region: str = "us-east-1", **options: Any) -> Any:
        """Return a boto3 client, as a user makes it."""
        import boto3
        from botocore.config import Config

        once = {"retries": {"total_max_attempts": 1}}
        settings = Config(**{**once, **options.pop("config", {})})
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=options.pop("key", "testing"),
            aws_secret_access_key="testing",
            config=settings,
            **options,
        )


@contextmanager
def running(state: ServerState) -> Iterator[str]:
    """Serve from a thread for as long as the block lasts; gives the URL."""
    listener = bind("127.0.0.1", 0)
    state.url = url_of(listener)
    server = server_of(state)
    thread = threading.Thread(target=server.run, args=([listener],), name="server")
    thread.start()
    deadline = time.monotonic() + START_S
    try:
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve(stack: ExitStack, root: Path, **options: Any) -> Endpoint:
    """Serve `root` until the stack is closed."""
    options.setdefault("start", stub_command())
    state = stack.enter_context(ServerState(root, **options))
    return Endpoint(stack.enter_context(running(state)), state)


@pytest.fixture
def serve_root(tmp_path: Path) -> Iterator[Callable[..., Endpoint]]:
    """Return a function that serves a root of one's own."""
    with ExitStack() as stack:
        yield lambda root=None, **options: serve(stack, root or tmp_path / "root", **options)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Return one endpoint for the whole session; its training is a stub of three steps."""
    with ExitStack() as stack:
        yield serve(stack, tmp_path_factory.mktemp("endpoint") / "root")


@pytest.fixture
def called() -> Iterator[Called]:
    """A port that a handler calls, closed after the test."""
    port = Called()
    yield port
    port.let_go()
