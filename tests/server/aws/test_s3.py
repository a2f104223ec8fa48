"""S3, IAM and STS through unchanged boto3 clients, and what of them outlives a restart."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.server.aws.local_s3 import S3Error, parse_uri
from bedrock_rft_sim.server.aws.moto_app import MotoRequest
from tests.server.aws_setup import put
from tests.server.conftest import Endpoint, serve

CURL = shutil.which("curl")
JSONL = b'{"id": "a", "q": "1+1=2&3%2F"}\n' * 5
FORM = "application/x-www-form-urlencoded"
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


@pytest.mark.parametrize("way", ["put", "parts", "signed"])
def test_a_large_object_is_a_file_and_reads_as_its_bytes(
    way: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 4 * 1024 * 9 + b"the end"
    path = tmp_path / "large"
    path.write_bytes(content)
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="large-files")
    where = {"Bucket": "large-files", "Key": "k"}
    if way == "put":
        with path.open("rb") as file:
            tag = s3.put_object(**where, Body=file, Metadata={"a": "b"})["ETag"]
        assert tag.strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
    elif way == "parts":
        s3.upload_file(str(path), *where.values())
    else:
        chunks = b"".join(
            b"%x;chunk-signature=0\r\n%b\r\n" % (len(piece), piece)
            for piece in (content[:5_000_000], content[5_000_000:], b"")
        )
        head = {
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "x-amz-decoded-content-length": str(len(content)),
        }
        signed = MotoRequest("PUT", "/large-files/k", headers=head, body=io.BytesIO(chunks))
        assert endpoint.state.s3.call(signed).status == 200
    assert s3.get_object(**where)["Body"].read() == content
    ranged = s3.get_object(**where, Range="bytes=9000000-")
    assert (ranged["Body"].read(), ranged["ContentLength"]) == (content[9_000_000:], 437_191)
    s3.copy_object(
        Bucket="large-files", Key="copy", CopySource="large-files/k", ChecksumAlgorithm="SHA256"
    )
    assert s3.get_object(Bucket="large-files", Key="copy")["Body"].read() == content
    listed = s3.list_objects_v2(Bucket="large-files")["Contents"]
    assert [one["Size"] for one in listed] == [len(content)] * 2
    bodies = endpoint.state.root / "s3" / ".bodies.tmp"
    assert list(bodies.iterdir())


def test_chunks_that_are_damaged_are_refused(endpoint: Endpoint) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="damaged-chunks")
    head = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    for body in (b"200000\r\n" + b"x" * 1_100_000, b"-" * 1_100_000):
        sent = MotoRequest("PUT", "/damaged-chunks/k", headers=head, body=io.BytesIO(body))
        answer = endpoint.state.s3.call(sent)
        assert (answer.status, b"InvalidChunkSizeError" in answer.body) == (400, True)
    assert "Contents" not in s3.list_objects_v2(Bucket="damaged-chunks")


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


def sent(url: str, method: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    """Send bytes to a presigned address, without a word about what they are unless one is given.

    Returns the answer's status, ETag and body.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, named, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["ETag"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", error.read()


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_body_that_is_called_a_form_is_kept_byte_for_byte(endpoint: Endpoint, kind: str) -> None:
    put(endpoint, "called-a-form")
    s3 = endpoint.client("s3")
    s3.put_object(Bucket="called-a-form", Key="by-boto3", Body=JSONL, ContentType=kind)
    url = s3.generate_presigned_url("put_object", {"Bucket": "called-a-form", "Key": "by-urllib"})
    sent(url, "PUT", JSONL, Content_Type=kind)
    for key in ("by-boto3", "by-urllib"):
        found = s3.get_object(Bucket="called-a-form", Key=key)
        assert (found["Body"].read(), found["ContentType"]) == (JSONL, kind)


def test_a_part_that_is_called_a_form_is_kept_byte_for_byte(endpoint: Endpoint) -> None:
    put(endpoint, "parts-by-hand")
    s3 = endpoint.client("s3")
    at = {"Bucket": "parts-by-hand", "Key": "whole"}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    wanted = {**at, "UploadId": upload, "PartNumber": 1}
    _, etag, _ = sent(s3.generate_presigned_url("upload_part", wanted), "PUT", JSONL)
    url = s3.generate_presigned_url("complete_multipart_upload", {**at, "UploadId": upload})
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
    sent(url, "POST", whole.encode(), Content_Type=FORM)
    assert endpoint.state.s3.get("s3://parts-by-hand/whole") == JSONL


@pytest.mark.skipif(CURL is None, reason="there is no curl")
@pytest.mark.parametrize("way", ["--data-binary", "--upload-file"])
def test_curl_puts_to_a_presigned_address(endpoint: Endpoint, tmp_path: Path, way: str) -> None:
    put(endpoint, "by-curl-alone")
    path = tmp_path / "f.jsonl"
    path.write_bytes(JSONL)
    wanted = {"Bucket": "by-curl-alone", "Key": way}
    url = endpoint.client("s3").generate_presigned_url("put_object", wanted)
    source = f"@{path}" if way == "--data-binary" else str(path)
    command = [CURL or "curl", "--fail", "--silent", "--request", "PUT", way, source, url]
    subprocess.run(command, check=True, capture_output=True)
    assert endpoint.state.s3.get(f"s3://by-curl-alone/{way}") == JSONL


def posted(
    post: dict[str, Any], *, boundary: str = "xXx", name: str = "f.jsonl"
) -> tuple[int, str, bytes]:
    """Send a presigned POST as a browser's form does."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in post["fields"].items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += "Content-Type: application/jsonl\r\n\r\n"
    body = "".join([*parts, head]).encode() + JSONL + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return sent(post["url"], "POST", body, Content_Type=kind)


def test_a_presigned_post_is_kept_under_its_key(
    serve_root: Callable[..., Endpoint], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        endpoint = serve(stack, tmp_path / "posted")
        put(endpoint, "posted-to")
        s3 = endpoint.client("s3")
        more = {"Content-Type": "text/x", "x-amz-meta-by": "form", "success_action_status": "201"}
        conditions: list[Any] = [{name: value} for name, value in more.items()]
        assert posted(s3.generate_presigned_post("posted-to", "plain"))[0] == 204
        named = s3.generate_presigned_post("posted-to", "up/${filename}", more, conditions)
        status, _, content = posted(named)
        assert status == 201
        said = ElementTree.fromstring(content)
        assert said.findtext("Key") == "up/f.jsonl"
        assert said.findtext("ETag") == s3.head_object(Bucket="posted-to", Key="plain")["ETag"]
        found = s3.get_object(Bucket="posted-to", Key="up/f.jsonl")
        assert (found["ContentType"], found["Metadata"]) == ("text/x", {"by": "form"})
    fresh = serve_root(tmp_path / "posted")
    forget_everything(fresh)
    for key in ("plain", "up/f.jsonl"):
        assert fresh.state.s3.get(f"s3://posted-to/{key}") == JSONL


def test_a_form_without_a_file_and_a_post_to_no_bucket_are_refused(endpoint: Endpoint) -> None:
    put(endpoint, "posted-badly")
    post = endpoint.client("s3").generate_presigned_post("posted-badly", "k")
    for url, fields, code in (
        (post["url"], {}, "InvalidArgument"),
        (post["url"].replace("posted-badly", "no-such-bucket"), post["fields"], "NoSuchBucket"),
    ):
        status, _, content = posted({"url": url, "fields": fields})
        assert status in (400, 404)
        assert ElementTree.fromstring(content).findtext("Code") == code


def test_managed_policies_attach_and_are_listed(endpoint: Endpoint) -> None:
    iam = endpoint.client("iam")
    iam.create_role(RoleName="with-managed", AssumeRolePolicyDocument=POLICY)
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    for arn in (basic, "arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess"):
        iam.attach_role_policy(RoleName="with-managed", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="with-managed")["AttachedPolicies"]
    assert {one["PolicyName"] for one in attached} == {
        "AWSLambdaBasicExecutionRole",
        "AmazonBedrockMantleFullAccess",
    }
    version = iam.get_policy(PolicyArn=basic)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=basic, VersionId=version)["PolicyVersion"]
    assert "logs:PutLogEvents" in json.dumps(document["Document"])
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.attach_role_policy(
            RoleName="with-managed", PolicyArn="arn:aws:iam::aws:policy/AWSLamdaBasic"
        )


def test_simulate_principal_policy_says_what_a_roles_policies_allow(endpoint: Endpoint) -> None:
    iam = endpoint.client("iam")
    arn = iam.create_role(RoleName="simulated", AssumeRolePolicyDocument=POLICY)["Role"]["Arn"]
    deny = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT, deny]})
    iam.put_role_policy(RoleName="simulated", PolicyName="p", PolicyDocument=document)
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="simulated", PolicyArn=basic)
    names = ["s3:GetObject", "s3:DeleteObject", "logs:PutLogEvents", "bedrock:InvokeModel"]
    told = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=names, ResourceArns=["arn:aws:s3:::bucket/key"]
    )["EvaluationResults"]
    assert [(one["EvalActionName"], one["EvalDecision"]) for one in told] == list(
        zip(names, ["allowed", "explicitDeny", "allowed", "implicitDeny"], strict=True)
    )
    assert told[0]["EvalResourceName"] == "arn:aws:s3:::bucket/key"
    role = "arn:aws:sts::123456789012:assumed-role/simulated/session"
    assert (
        iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[])["EvaluationResults"]
        == []
    )


def test_simulate_principal_policy_allows_the_caller_and_knows_no_stranger(
    endpoint: Endpoint,
) -> None:
    iam = endpoint.client("iam")
    me = endpoint.client("sts").get_caller_identity()["Arn"]
    told = iam.simulate_principal_policy(PolicySourceArn=me, ActionNames=["bedrock:TagResource"])
    assert [one["EvalDecision"] for one in told["EvaluationResults"]] == ["allowed"]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/nobody", ActionNames=["s3:GetObject"]
        )
