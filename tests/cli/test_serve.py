"""`rft serve` as a process of its own."""

from __future__ import annotations

import filecmp
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cli.serve import exports
from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER
from bedrock_rft_sim.server.running import is_loopback
from bedrock_rft_sim.server.session import own_token
from tests.server.aws_setup import create_function, put, records, rft_request
from tests.server.conftest import Endpoint

LARGE_MB = 100


@contextmanager
def served(root: Path, *options: str, **variables: str) -> Iterator[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "bedrock_rft_sim",
        "serve",
        "--root",
        str(root),
        "--port",
        "0",
        "--json",
    ]
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            assert told, process.communicate()[1].decode()
            yield {**json.loads(told), "process": process}
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is to be made, below one that is to be made."""
    return tmp_path_factory.mktemp("served") / "below" / "root"


@pytest.fixture(scope="module")
def plain(root: Path) -> Iterator[dict[str, Any]]:
    """Serve `root` without options, and return what was told."""
    with served(root) as told:
        yield told


@pytest.fixture(scope="module")
def open_to_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Serve at an address that others reach, under a token of one's own."""
    root = tmp_path_factory.mktemp("open") / "root"
    with served(root, "--host", "0.0.0.0", RFT_TOKEN="secret-token") as told:
        port = urlsplit(told["url"]).port
        yield {**told, "here": f"http://127.0.0.1:{port}"}


def test_it_says_where_it_is_and_answers(plain: dict[str, Any]) -> None:
    assert plain["environment"]["AWS_ENDPOINT_URL"] == plain["url"]
    assert plain["environment"]["OPENAI_BASE_URL"] == plain["url"] + "/v1"
    token = plain["environment"]["OPENAI_API_KEY"]
    request = urllib.request.Request(plain["url"], headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["name"] == "bedrock-rft-sim"


def test_the_token_is_demanded_and_never_printed(open_to_others: dict[str, Any]) -> None:
    told = open_to_others
    shown = {key: value for key, value in told.items() if key != "process"}
    assert "secret-token" not in json.dumps(shown)
    assert told["environment"]["AWS_ACCESS_KEY_ID"] == '"$RFT_TOKEN"'
    assert status_of(told["here"]) == 403
    assert status_of(told["here"], Authorization="Bearer secret-token") == 200


def test_an_address_that_others_reach_needs_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["serve", "--host", "0.0.0.0", "--no-token", "--root", str(tmp_path / "root")])
    assert code == 2
    assert "needs a token" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_an_address_that_others_reach_is_told_and_goes_by_any_name(
    open_to_others: dict[str, Any],
) -> None:
    name, port = urlsplit(open_to_others["url"]).netloc.rsplit(":", 1)
    assert name == socket.gethostname()
    for host in ("a-service", "192.0.2.2"):
        headers = {"Authorization": "Bearer secret-token", "Host": f"{host}:{port}"}
        assert status_of(open_to_others["here"], **headers) == 200


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "::1"])
def test_loopback_goes_by_its_names_in_any_case(host: str) -> None:
    assert is_loopback(host)


def test_a_taken_port_is_one_message(
    plain: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = plain["url"].rpartition(":")[2]
    code = main(["serve", "--port", port, "--root", str(tmp_path / "other")])
    assert code == 1
    assert "can't listen here" in capsys.readouterr().err


@pytest.mark.usefixtures("plain")
def test_a_second_server_on_the_same_root_is_one_message(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "0", "--root", str(root)]) == 1
    assert "another server holds these jobs" in capsys.readouterr().err


def test_a_missing_package_names_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.cli.serve.NEEDED", ("no_such_package",))
    assert main(["serve"]) == 1
    assert "pip install 'bedrock-rft-sim[serve]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--pending", "-1", "less than no time"),
        ("--pending", "nan", "less than no time"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    assert main(["serve", option, value]) == 2
    assert words in capsys.readouterr().err


def test_no_parallel_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "--parallel", "0"])
    assert exit_.value.code == 2
    assert "--parallel: expected a whole number from 1" in capsys.readouterr().err


def status_of(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_without_a_token_of_ones_own_the_endpoint_makes_one(tmp_path: Path) -> None:
    file = tmp_path / "root" / "token"
    with served(tmp_path / "root") as told:
        token = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert told["environment"]["AWS_ACCESS_KEY_ID"] == token
        assert told["environment"]["OPENAI_API_KEY"] == token
        assert status_of(told["url"]) == 403
        assert status_of(told["url"], Authorization="Bearer local") == 403
        assert status_of(told["url"], Authorization=f"Bearer {token}") == 200
    assert told["process"].returncode == 0
    assert (tmp_path / "root" / "jobs.sqlite").is_file()
    with served(tmp_path / "root") as told:  # what was exported once stays right
        assert told["environment"]["OPENAI_API_KEY"] == token


def test_a_token_that_others_may_have_read_is_made_anew(tmp_path: Path) -> None:
    first = own_token(tmp_path)
    assert own_token(tmp_path) == first
    (tmp_path / "token").chmod(0o644)
    second = own_token(tmp_path)
    assert second != first
    (tmp_path / "token").write_text("short")
    assert len(own_token(tmp_path)) == 40


def test_no_token_says_what_it_means_and_lets_everybody_in(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bedrock_rft_sim", "serve", "--port", "0", "--no-token"]
    with subprocess.Popen(
        [*command, "--root", str(tmp_path / "root")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith("console: "))[9:].strip()
        assert status_of(url.removesuffix("/console")) == 200
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=30)[1]
    assert "every user of this machine may run code as you" in told
    assert not (tmp_path / "root" / "token").exists()


def test_the_variables_of_a_plain_endpoint_need_no_token() -> None:
    found = exports("http://127.0.0.1:1", region="us-east-1")
    assert found["AWS_ACCESS_KEY_ID"] == found["OPENAI_API_KEY"] == "local"


@pytest.mark.usefixtures("plain")
def test_what_is_kept_is_for_its_owner_alone(root: Path) -> None:
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


@pytest.mark.slow
def test_the_model_of_the_command_line_stands_behind_every_id(tmp_path: Path) -> None:
    folder = str(EMBEDDED_FOLDER.resolve())
    with served(tmp_path / "root", "--no-token", "--model", folder) as told:
        endpoint = Endpoint(told["url"], None)  # type: ignore[arg-type]
        create_function(endpoint, "reward")
        too_long = records().replace(b"What", b"What " * 2100)  # so that nothing is trained
        put(endpoint, "data", train=too_long, validation=records(3))
        request = rft_request("job", bucket="data", function="reward")
        with pytest.raises(ClientError) as refused:
            endpoint.client("bedrock").create_model_customization_job(**request)
    assert f"prompts of at most 2,048 tokens of {folder}\n" in str(refused.value)


def test_a_model_that_is_not_there_is_refused_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    assert main(["serve", "--root", str(tmp_path / "root"), "--model", str(missing)]) == 2
    said = capsys.readouterr().err
    assert "--model: there is no such model\n" in said
    assert str(missing) in said
    assert not (tmp_path / "root").exists()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_hundred_megabytes_pass_through_s3_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(LARGE_MB):
            file.write(number.to_bytes(4) * 262_144)
    with served(tmp_path / "root") as told:
        s3 = boto3.client(
            "s3",
            endpoint_url=told["url"],
            region_name="us-east-1",
            aws_access_key_id=told["environment"]["OPENAI_API_KEY"],
            aws_secret_access_key="local",
        )
        s3.create_bucket(Bucket="hundred")
        s3.upload_file(str(path), "hundred", "warm")
        before = peak_mb(told["process"].pid)
        with path.open("rb") as file:
            s3.put_object(Bucket="hundred", Key="put", Body=file)
        s3.upload_file(str(path), "hundred", "parts")
        for key in ("put", "parts"):
            s3.download_file("hundred", key, str(tmp_path / key))
            assert filecmp.cmp(path, tmp_path / key, shallow=False)
        assert peak_mb(told["process"].pid) - before < LARGE_MB * 0.8


def peak_mb(pid: int) -> float:
    """Return the most memory the process has had."""
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert line is not None
    return int(line[1]) / 1024
