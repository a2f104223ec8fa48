"""S3, IAM and STS through unchanged boto3 clients, and what of them outlives a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sim.server.aws.local_s3 import S3Error, parse_uri
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
