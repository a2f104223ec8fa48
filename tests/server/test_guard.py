"""Who is refused before any API sees the request."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import openai
import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.server import dispatch, running
from bedrock_rft_sim.server.guard import Guard
from tests.jobs.conftest import wait_until
from tests.server.aws_setup import ROLE, create_function
from tests.server.called import Called
from tests.server.conftest import Endpoint

CREDENTIAL = "local/20260101/us-east-1/iam/aws4_request"


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
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "http://localhost:3000",
        "http://evil.localhost:3000",
        "http://127.0.0.1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
    ],
)
def test_a_page_of_another_origin_is_refused_whatever_it_asks(
    endpoint: Endpoint, origin: str
) -> None:
    shown = origin.format(port=urlsplit(endpoint.url).port)
    for method, body in (("GET", None), ("POST", b"{}"), ("OPTIONS", None)):
        status, said = ask(endpoint, method, "/model-customization-jobs", body=body, Origin=shown)
        assert status == 403
        assert "another origin" in said["message"]


def test_a_page_on_another_port_can_create_no_function(endpoint: Endpoint) -> None:
    # What a form can send without the browser asking first.
    form = {
        "Content_Type": "text/plain",
        "Sec_Fetch_Site": "same-site",
        "Sec_Fetch_Mode": "no-cors",
    }
    for headers in (form, {**form, "Origin": "http://localhost:3000"}):
        assert ask(endpoint, "POST", "/2015-03-31/functions", body=b"{}", **headers)[0] == 403


def test_our_own_pages_may_ask(endpoint: Endpoint) -> None:
    assert ask(endpoint, Origin=endpoint.url)[0] == 200
    assert ask(endpoint, Host="LOCALHOST:1", Origin="http://localhost:1")[0] == 200
    assert ask(endpoint, Sec_Fetch_Site="same-origin")[0] == 200
    assert ask(endpoint, Sec_Fetch_Site="none")[0] == 200


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_pages_image_script_or_form_is_refused(endpoint: Endpoint, site: str) -> None:
    for mode, destination in (("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty")):
        fetched = {"Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": destination}
        assert ask(endpoint, path="/console", Sec_Fetch_Site=site, **fetched)[0] == 403


def test_a_link_leads_to_the_console_and_nowhere_else(endpoint: Endpoint) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    link["Sec_Fetch_Dest"] = "document"
    assert ask(endpoint, path="/console/jobs", **link)[0] == 200
    assert ask(endpoint, path="/v1/models", **link)[0] == 403
    creating = f"GET /?Action=CreateUser&UserName=x&X-Amz-Credential={CREDENTIAL} HTTP/1.1\r\n"
    headers = {"Host": "localhost", "Connection": "close", **link}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    assert raw(endpoint, f"{creating}{lines}\r\n".encode()).startswith(b"HTTP/1.1 403")
    assert ask(endpoint, "POST", "/console/sign-in", body=b"{}", **link)[0] == 403


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


def test_with_a_token_every_name_of_the_machine_may_be_used(
    serve_root: Callable[..., Endpoint],
) -> None:
    # A rebound page doesn't know the token; its own origin is still no way in.
    endpoint = serve_root(token="the-token")
    for host in ("vm:4599", "192.0.2.2", "[2001:db8::1]:80", "MyHost.example"):
        assert ask(endpoint, Host=host)[0] == 403
        assert ask(endpoint, Host=host, Authorization="Bearer the-token")[0] == 200
    shown = {"Host": "vm:1", "Authorization": "Bearer the-token"}
    assert ask(endpoint, Origin="http://vm:2", **shown)[0] == 403
    assert ask(endpoint, Host="[::::]", Authorization="Bearer the-token")[0] == 403


def test_a_presigned_address_shows_the_token(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(token="the-token")
    for version in ("s3", "s3v4"):
        for key, status in (("the-token", 200), ("other", 403)):
            s3 = endpoint.client("s3", key=key, config={"signature_version": version})
            signed = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "pre-signed"})
            endpoint.client("s3", key="the-token").create_bucket(Bucket="pre-signed")
            assert fetched(signed) == status


def fetched(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_an_assumed_roles_credentials_show_the_token(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(token="the-token")
    role = {"RoleArn": ROLE, "RoleSessionName": "a-session"}
    made = endpoint.client("sts", key="the-token").assume_role(**role)["Credentials"]
    assumed = endpoint.client("s3", key=made["AccessKeyId"], aws_session_token=made["SessionToken"])
    assert assumed.list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_each_door_refuses_in_its_own_form(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(token="the-token")
    with (
        openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError, match="token is missing or wrong"),
    ):
        client.models.list()
    for service, operation in (
        ("s3", "list_buckets"),
        ("iam", "list_roles"),
        ("sts", "get_caller_identity"),
    ):
        with pytest.raises(ClientError, match="token is missing or wrong") as refused:
            getattr(endpoint.client(service), operation)()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert "token" in ask(endpoint, path="/console/jobs")[1]["error"]
    shown = {"Authorization": "Bearer the-token", "Content_Length": str(dispatch.JSON_MAX + 1)}
    status, said = ask(endpoint, "POST", "/v1/chat/completions", **shown)
    assert (status, said["error"]["type"]) == (413, "invalid_request_error")


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
    status, said = ask(endpoint, "POST", path, Content_Length=str(dispatch.JSON_MAX + 1))
    assert status == 413
    assert "larger than" in said["message"]


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("GET", "/model-customization-jobs/files", dispatch.JSON_MAX),
        ("POST", "/v1/chat/completions", dispatch.JSON_MAX),
        ("PUT", "/v1/files", dispatch.JSON_MAX),
        ("POST", "/v1/files", dispatch.UPLOAD_MAX),
        ("POST", "/files", dispatch.UPLOAD_MAX),
        ("POST", "/2015-03-31/functions", dispatch.CODE_MAX),
        ("PUT", "/2015-03-31/functions/a/code", dispatch.CODE_MAX),
        ("PUT", "/2015-03-31/functions/a/configuration", dispatch.JSON_MAX),
        ("POST", "/2015-03-31/functions/a/invocations", dispatch.JSON_MAX),
    ],
)
def test_only_what_brings_files_may_be_large(
    endpoint: Endpoint, method: str, path: str, most: int
) -> None:
    status, _ = ask(endpoint, method, path, Content_Length=str(most + 1))
    assert status == 413
    scope = {"method": method, "raw_path": path.encode(), "query_string": b"", "headers": []}
    assert dispatch.body_max({"type": "http", **scope}) == most


def test_a_body_that_only_turns_out_too_large_is_refused(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "JSON_MAX", 1000)
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
    said = raw(
        endpoint,
        b"POST /model-customization-jobs HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 1000\r\n\r\n{",
    )
    assert said.startswith(b"HTTP/1.1 408")


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
        pytest.param(b"[" + b"[]," * 1_000_000 + b"[]]", id="too many values"),
        pytest.param(b'{"jobName": "a\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"jobName": "\xed\xa0\x80"}', id="half a pair in bytes"),
        pytest.param(b'{"job\\udfffName": 1}', id="half a pair in a name"),
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
    assert all(path.stem.removeprefix(".").isalnum() for path in kept.iterdir())
    assert not (endpoint.state.root.parent / "escaped").exists()


def test_an_unknown_path_is_never_html_and_never_a_server_error(endpoint: Endpoint) -> None:
    for path in ("/nothing/here", "/v1/nothing", "/model/x/unknown", "/2015-03-31/functions/a/b/c"):
        status, said = ask(endpoint, path=path)
        assert 400 <= status < 500
        assert isinstance(said, dict)


def test_functions_answer_while_another_hangs(endpoint: Endpoint, called: Called) -> None:
    hang = f"""
import socket
def lambda_handler(event, context):
    socket.create_connection(("127.0.0.1", {called.port})).recv(1)
"""
    create_function(endpoint, "hangs", hang, Timeout=60)
    client = endpoint.client("lambda", config={"read_timeout": 20})
    client.invoke(FunctionName="hangs", InvocationType="Event", Payload=b"1")
    wait_until(called.once)
    assert ask(endpoint)[0] == 200
    assert client.get_function(FunctionName="hangs")["Configuration"]["Timeout"] == 60
