"""Who is refused before any door sees the request."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from sim.server import app, guard, running
from sim.server.guard import Guard
from tests.server.asking import create_function
from tests.server.conftest import Endpoint


def ask(
    endpoint: Endpoint,
    method: str = "GET",
    path: str = "/",
    *,
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, dict[str, str]]:
    """Send one request with headers of one's own; return status and JSON."""
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_this_machines_names_are_answered(endpoint: Endpoint) -> None:
    for host in ("127.0.0.1", "localhost", "localhost:4599", "[::1]:80", "bucket.localhost"):
        assert ask(endpoint, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4599", "", "a b"]
)
def test_a_foreign_host_is_refused_against_dns_rebinding(endpoint: Endpoint, host: str) -> None:
    status, said = ask(endpoint, Host=host)
    assert status == 403
    assert "Host header" in said["message"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"]
)
def test_a_foreign_origin_is_refused(endpoint: Endpoint, origin: str) -> None:
    status, said = ask(endpoint, "POST", "/model-customization-jobs", Origin=origin, body=b"{}")
    assert status == 403
    assert "another origin" in said["message"]


def test_our_own_pages_may_ask(endpoint: Endpoint) -> None:
    assert ask(endpoint, Origin=endpoint.url)[0] == 200
    assert ask(endpoint, Sec_Fetch_Site="same-origin")[0] == 200


def test_another_sites_image_or_form_is_refused(endpoint: Endpoint) -> None:
    assert ask(endpoint, Sec_Fetch_Site="cross-site")[0] == 403


def test_the_token_may_come_as_access_key_or_bearer(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(token="the-token")
    assert ask(endpoint)[0] == 403
    assert ask(endpoint, Authorization="Bearer wrong")[0] == 403
    assert ask(endpoint, Authorization="Bearer the-token")[0] == 200
    client = endpoint.client("bedrock", key="the-token")
    assert client.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []
    with pytest.raises(ClientError) as refused:
        endpoint.client("bedrock").list_model_customization_jobs()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_the_token_is_neither_logged_nor_told(
    serve_root: Callable[..., Endpoint], capfd: pytest.CaptureFixture[str]
) -> None:
    endpoint = serve_root(token="the-token")
    _, said = ask(endpoint, Authorization="Bearer wrong-one")
    out, err = capfd.readouterr()
    assert "the-token" not in out + err + json.dumps(said)
    assert "wrong-one" not in out + err + json.dumps(said)


def test_a_body_announced_too_large_is_refused_unread(endpoint: Endpoint) -> None:
    path = "/model-customization-jobs"
    status, said = ask(endpoint, "POST", path, Content_Length=str(app.BODY_MAX + 1))
    assert status == 413
    assert "larger than" in said["message"]


def test_a_body_that_only_turns_out_too_large_is_refused(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BODY_MAX", 1000)
    endpoint = serve_root()
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    said = raw(
        endpoint,
        b"POST /model-customization-jobs HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + b"0\r\n\r\n",
    )
    assert said.startswith(b"HTTP/1.1 413")


def raw(endpoint: Endpoint, data: bytes) -> bytes:
    """Send bytes, then wait for the answer and the end of the connection."""
    address = urlsplit(endpoint.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(data)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        return received


def test_a_client_that_never_finishes_its_head_is_hung_up_on(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.PatientProtocol, "patience_s", 0.2)
    endpoint = serve_root()
    assert raw(endpoint, b"GET / HTTP/1.1\r\nHost: loc") == b""
    assert raw(endpoint, b"") == b""
    second = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"
    assert raw(endpoint, second).startswith(b"HTTP/1.1 200")


def test_a_body_that_trickles_is_refused(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard.__init__, "__kwdefaults__", {"patience_s": 0.2})
    endpoint = serve_root()
    began = time.monotonic()
    said = raw(
        endpoint,
        b"POST /model-customization-jobs HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 1000\r\n\r\n{",
    )
    assert said.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < guard.PATIENCE_S


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep lists"),
        pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, id="deep objects"),
        pytest.param(b'{"jobName": "a", "jobName": "b"}', id="a key twice"),
        pytest.param(b'{"jobName": NaN}', id="not a number"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"1" * 10_000, id="a huge number"),
    ],
)
def test_json_made_to_hurt_is_a_validation_error(endpoint: Endpoint, body: bytes) -> None:
    status, said = ask(endpoint, "POST", "/model-customization-jobs", body=body)
    assert status == 400
    assert said["__type"] == "ValidationException"


@pytest.mark.parametrize(
    "path",
    [
        "/model-customization-jobs/..%2f..%2fetc%2fpasswd",
        "/model-customization-jobs/%00",
        "/custom-models/..%2F..%2F",
        "/2015-03-31/functions/..%2f..%2f.code",
        "/2015-03-31/functions/%2e%2e",
    ],
)
def test_paths_made_to_lead_elsewhere_find_nothing(endpoint: Endpoint, path: str) -> None:
    status, said = ask(endpoint, path=path)
    assert status in (400, 404)
    assert said["message"]


def test_bucket_and_key_names_never_become_paths(endpoint: Endpoint) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="path-tricks")
    for key in ("../../escaped", "/etc/passwd", "a/../../b", "nul\x01"):
        s3.put_object(Bucket="path-tricks", Key=key, Body=b"x")
    kept = endpoint.state.root / "s3"
    assert all(path.stem.isalnum() for path in kept.iterdir())
    assert not (endpoint.state.root.parent / "escaped").exists()


def test_an_unknown_path_is_never_html_and_never_a_server_error(endpoint: Endpoint) -> None:
    for path in ("/nothing/here", "/v1/nothing", "/model/x/unknown", "/2015-03-31/functions/a/b/c"):
        status, said = ask(endpoint, path=path)
        assert 400 <= status < 500
        assert isinstance(said, dict)


def test_functions_answer_while_another_hangs(endpoint: Endpoint) -> None:
    hang = "def lambda_handler(event, context):\n    while True: pass\n"
    create_function(endpoint, "hangs", hang, Timeout=2)
    client = endpoint.client("lambda")
    client.invoke(FunctionName="hangs", InvocationType="Event", Payload=b"1")
    began = time.monotonic()
    assert ask(endpoint)[0] == 200
    assert client.get_function(FunctionName="hangs")["Configuration"]["Timeout"] == 2
    assert time.monotonic() - began < 2
