"""The live page's server: this machine only, three GETs, gone when the run is over."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.report.watch import Watch
from bedrock_rft_sim.runs import RunFolder
from tests.report.conftest import add_step, make_run


class Served:
    """A run that goes on, and a client of its page."""

    def __init__(self, parent: Path) -> None:
        self.run = make_run(parent, status="InProgress", steps=2)
        self.watch = Watch(RunFolder.open(self.run.path))
        self.port = int(self.watch.url.rstrip("/").rpartition(":")[2])
        self.status: list[str] = []
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def _follow(self) -> None:
        self.status.append(self.watch.follow(check_every_s=0.02, linger_s=0.1))

    def get(
        self, path: str, *, host: str | None = None, method: str = "GET"
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"Host": host or f"127.0.0.1:{self.port}"})
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        return reply.status, dict(reply.getheaders()), body

    def end(self) -> None:
        self.run.write_record(status="Completed")
        self.run.close()
        self.thread.join(timeout=10)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("runs"))
    yield server
    server.end()


def test_the_page_may_ask_its_own_server_and_nobody_else(served: Served) -> None:
    status, headers, body = served.get("/")
    assert status == 200
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert 'id="batch-train' not in body


def test_the_numbers_grow_with_the_run(served: Served) -> None:
    before = json.loads(served.get("/data.json?step=0")[2])
    add_step(served.run, 3)
    after = json.loads(served.get("/data.json?step=2")[2])
    assert (before["step"], after["step"], after["live"]) == (2, 3, True)
    assert served.get("/batch/train-3")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost", "127.0.0.1:1", ""]
)
def test_a_request_that_names_another_host_is_refused(served: Served, host: str) -> None:
    status, _, body = served.get("/", host=host or " ")
    assert (status, "rehearsal" in body) == (403, False)


def test_localhost_with_the_port_is_this_machine(served: Served) -> None:
    assert served.get("/data.json", host=f"localhost:{served.port}")[0] == 200


@pytest.mark.parametrize(
    "path", ["/run.json", "/../run.json", "/batch/train-99", "/batch/../run.json", "/x", "/batch/"]
)
def test_nothing_else_is_served(served: Served, path: str) -> None:
    assert served.get(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_but_get_is_answered(served: Served, method: str) -> None:
    assert served.get("/", method=method)[0] == 501


def test_a_damaged_folder_is_one_message_and_not_the_end(tmp_path: Path) -> None:
    server = Served(tmp_path)
    whole = server.run.metrics.read_text()
    server.run.metrics.write_text('{"loss": 1}\n')
    status, _, body = server.get("/data.json")
    time.sleep(0.2)  # the run is looked at ten times
    server.run.metrics.write_text(whole)
    assert (status, "not a line of metrics" in body) == (500, True)
    assert server.get("/data.json")[0] == 200
    server.end()
    assert server.status == ["Completed"]


def test_it_ends_after_its_run_and_gives_the_port_back(tmp_path: Path) -> None:
    server = Served(tmp_path)
    server.end()
    assert server.status == ["Completed"]
    with pytest.raises(ConnectionRefusedError):
        server.get("/")


def test_a_port_in_use_is_one_message(served: Served) -> None:
    with pytest.raises(RehearsalError, match="choose another --port"):
        Watch(RunFolder.open(served.run.path), port=served.port)
