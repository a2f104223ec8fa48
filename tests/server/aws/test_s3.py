"""S3, IAM and STS through unchanged boto3 clients, and what of them outlives a restart."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.server.aws.local_s3 import S3Error, parse_uri
from tests.server.aws_setup import put
from tests.server.conftest import Endpoint, serve

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


def test_buckets_and_objects_outlive_a_restart(
    serve_root: Callable[..., Endpoint], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        s3 = serve(stack, tmp_path / "kept").client("s3")
        s3.create_bucket(Bucket="kept-bucket")
        s3.create_bucket(Bucket="gone-bucket")
        s3.delete_bucket(Bucket="gone-bucket")
        s3.put_object(Bucket="kept-bucket", Key="a b/ü.txt", Body=b"1", ContentType="text/x")
        for name in ("x", "y", "z"):
            s3.put_object(Bucket="kept-bucket", Key=name, Body=b"2")
        s3.delete_object(Bucket="kept-bucket", Key="x")
        s3.delete_objects(Bucket="kept-bucket", Delete={"Objects": [{"Key": "y"}]})
    fresh = serve_root(tmp_path / "kept")
    forget_everything(fresh)
    s3 = fresh.client("s3")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["kept-bucket"]
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="kept-bucket")["Contents"]]
    assert keys == ["a b/ü.txt", "z"]
    kept = s3.get_object(Bucket="kept-bucket", Key="a b/ü.txt")
    assert kept["Body"].read() == b"1"
    assert kept["ContentType"] == "text/x"


def forget_everything(endpoint: Endpoint) -> None:
    """Empty moto, which in tests lives on in the process, and fill it from the disk again."""
    from moto.core.models import reset_model_data  # noqa: F401
    from moto.s3.models import s3_backends

    for account in s3_backends.values():
        for backend in account.values():
            backend.reset()
    endpoint.state.s3._is_loaded = False


def test_a_large_upload_in_parts_arrives_whole(endpoint: Endpoint, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4 * 1024 * 9
    path = tmp_path / "large.jsonl"
    path.write_bytes(content)
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="large-objects")
    s3.upload_file(str(path), "large-objects", "large")
    assert endpoint.state.s3.get("s3://large-objects/large") == content
    head = s3.head_object(Bucket="large-objects", Key="large")
    assert head["ContentLength"] == len(content)


def test_what_is_missing_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(S3Error, match="no bucket 'not-a-bucket'"):
        endpoint.state.s3.get("s3://not-a-bucket/key")
    endpoint.client("s3").create_bucket(Bucket="an-empty-bucket")
    with pytest.raises(S3Error, match="no object at s3://an-empty-bucket/key"):
        endpoint.state.s3.get("s3://an-empty-bucket/key")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        endpoint.client("s3").get_object(Bucket="not-a-bucket", Key="key")


@pytest.mark.parametrize("uri", ["", "s3:/a/b", "http://a/b", "s3://", "a/b"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(S3Error, match="not an S3 URI"):
        parse_uri(uri)


def test_roles_are_made_and_the_account_is_told(endpoint: Endpoint) -> None:
    iam = endpoint.client("iam")
    made = iam.create_role(RoleName="made-here", AssumeRolePolicyDocument=POLICY)
    assert made["Role"]["Arn"] == "arn:aws:iam::123456789012:role/made-here"
    iam.put_role_policy(RoleName="made-here", PolicyName="p", PolicyDocument=POLICY)
    assert iam.get_role(RoleName="made-here")["Role"]["RoleName"] == "made-here"
    told = (endpoint.state.root / "iam.jsonl").read_text().splitlines()
    assert len(told) == 2
    assert endpoint.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_what_moto_cannot_do_is_refused_in_the_services_own_form(endpoint: Endpoint) -> None:
    iam, sts, s3 = (endpoint.client(name) for name in ("iam", "sts", "s3"))
    put(endpoint, "not-simulated", k=b"x")
    for code, call, arguments in (
        (
            "InvalidAction",
            iam.generate_organizations_access_report,
            {"EntityPath": "o-a1b2c3d4e5/r-a1b2"},
        ),
        ("InvalidAction", sts.decode_authorization_message, {"EncodedMessage": "x"}),
        ("MalformedXML", s3.restore_object, {"Bucket": "not-simulated", "Key": "k.jsonl"}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        found = refused.value.response["Error"]
        assert found["Code"] == code
        assert ("not simulated" in found["Message"]) == (code == "InvalidAction")


BOMB = b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>
<CreateBucketConfiguration><LocationConstraint>&b;</LocationConstraint></CreateBucketConfiguration>"""


@pytest.mark.parametrize(
    ("service", "method", "path", "body"),
    [
        ("s3", "POST", "/not-xml?delete", b"<a><b"),
        ("s3", "PUT", "/not-xml?acl", b"<broken"),
        ("s3", "PUT", "/a-bomb", BOMB),
        ("s3", "PATCH", "/not-xml/key", b""),
        ("s3", "GET", "/not-xml?max-keys=some", b""),
        ("s3", "POST", "/not-xml/key?uploadId=none", b"<broken"),
        ("iam", "POST", "/", b""),
        ("iam", "POST", "/", b"Action=Nonsense&Version=2010-05-08"),
        ("iam", "GET", "/nothing/here", b""),
        ("sts", "POST", "/", b"Action=\x00"),
    ],
)
def test_what_moto_stumbles_over_is_neither_html_nor_a_server_error(
    endpoint: Endpoint, service: str, method: str, path: str, body: bytes
) -> None:
    status, said = signed(endpoint, service, method, path, body=body)
    assert status in (400, 404, 501)
    root = ElementTree.fromstring(said)
    assert root.findtext(".//Code")
    assert root.findtext(".//Message")


def signed(
    endpoint: Endpoint, service: str, method: str, path: str, *, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Send a request that names its service as a signature does; return status and body."""
    scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, "
    kind = "application/octet-stream" if service == "s3" else "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=20)
    given = {"Authorization": scope, "Content-Type": kind, **headers}
    connection.request(method, path, body=body, headers=given)
    with connection.getresponse() as response:
        content = response.read()
    connection.close()
    return response.status, content


@pytest.mark.parametrize("host", ["by-host.localhost:4599", "by-host.s3.localhost"])
def test_a_bucket_may_be_named_by_the_host(endpoint: Endpoint, host: str) -> None:
    endpoint.client("s3").create_bucket(Bucket="by-host")
    assert signed(endpoint, "s3", "PUT", "/a%20b/c", body=host.encode(), Host=host)[0] == 200
    assert endpoint.state.s3.get("s3://by-host/a b/c") == host.encode()
    assert signed(endpoint, "s3", "GET", "/a%20b/c", Host=host) == (200, host.encode())
    assert signed(endpoint, "s3", "GET", "/by-host/a%20b/c", Host="s3.localhost")[0] == 200


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_is_followed(endpoint: Endpoint, version: str) -> None:
    put(endpoint, f"presigned-{version}", key=b"x")
    s3 = endpoint.client("s3", config={"signature_version": version})
    wanted = {"Bucket": f"presigned-{version}", "Key": "key.jsonl"}
    url = s3.generate_presigned_url("get_object", Params=wanted)
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"x"
        assert response.headers["content-security-policy"] == "sandbox"


def test_a_full_disk_is_told_to_the_client(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.client("s3").create_bucket(Bucket="full-disk")

    def full(*_: object) -> None:
        raise RunFolderError("can't keep the object", hint="make room")

    monkeypatch.setattr(endpoint.state.s3, "_keep", full)
    with pytest.raises(ClientError, match="make room"):
        endpoint.client("s3").put_object(Bucket="full-disk", Key="k", Body=b"x")
    assert "make room" in caplog.text
