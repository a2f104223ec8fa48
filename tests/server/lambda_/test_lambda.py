"""AWS Lambda through an unchanged boto3 client; the code really runs, without Docker."""

from __future__ import annotations

import base64
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.grader.package import unpack
from tests.jobs.conftest import wait_until
from tests.server.aws_setup import ROLE, create_function, create_role, zipped
from tests.server.called import Called
from tests.server.conftest import Endpoint

ECHO = """
import os

def lambda_handler(event, context):
    print("saw", event)
    kind = event.get("kind") if isinstance(event, dict) else None
    if kind == "raise":
        raise ValueError("bad event")
    if kind == "hang":
        while True:
            pass
    if kind == "environment":
        return dict(os.environ)
    return {"event": event, "version": context.function_version,
            "arn": context.invoked_function_arn, "number": NUMBER}
"""


def code(number: int = 1) -> str:
    return ECHO.replace("NUMBER", str(number))


@pytest.fixture(scope="module", autouse=True)
def _role(endpoint: Endpoint) -> None:
    create_role(endpoint.client)


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Any:
    create_function(endpoint, "echo", code(), Timeout=1, MemorySize=256)
    return endpoint.client("lambda")


def invoke(client: Any, event: object = None, name: str = "echo", **options: Any) -> Any:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return json.loads(answer["Payload"].read())


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def test_a_new_function_is_active_at_once_for_both_waiters(client: Any) -> None:
    for name in ("function_active_v2", "function_updated_v2"):
        client.get_waiter(name).wait(FunctionName="echo")
    found = client.get_function(FunctionName="echo")["Configuration"]
    assert found["MemorySize"] == 256
    assert found["Handler"] == "lambda_function.lambda_handler"
    assert found["Version"] == "$LATEST"
    assert found["State"] == "Active"


def test_an_invocation_runs_the_code(client: Any) -> None:
    found = invoke(client, {"a": 1})
    assert found["event"] == {"a": 1}
    assert found["version"] == "$LATEST"
    assert found["arn"].endswith("function:echo")


def test_the_log_comes_on_request(client: Any) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b"[1]", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "saw [1]" in log
    assert "START RequestId" in log
    assert "REPORT RequestId" in log
    assert answer["ExecutedVersion"] == "$LATEST"


def test_a_raised_error_is_a_function_error_in_lambdas_shape(client: Any) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'{"kind": "raise"}')
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "bad event"
    assert error["stackTrace"]


def test_a_hanging_function_is_killed_at_its_timeout(client: Any) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'{"kind": "hang"}')
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in answer["Payload"].read().decode()
    assert invoke(client, 1)["event"] == 1


@pytest.mark.parametrize(
    "variables", [{"AWS_REGION": "x"}, {"A": "x"}, {"MODE": "x" * 5000}, {"MODE": "a\0b"}]
)
def test_variables_that_lambda_would_refuse_are_refused(
    client: Any, variables: dict[str, str]
) -> None:
    with pytest.raises(ClientError) as caught:
        client.update_function_configuration(
            FunctionName="echo", Environment={"Variables": variables}
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_the_function_sees_lambdas_environment_and_not_the_servers(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    client.update_function_configuration(
        FunctionName="echo", Environment={"Variables": {"MODE": "strict"}}
    )
    seen = invoke(client, {"kind": "environment"})
    assert seen["MODE"] == "strict"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "echo"
    assert "SERVER_SECRET" not in seen
    assert seen["AWS_SECRET_ACCESS_KEY"] == "local"  # of this endpoint, for a judge


def test_a_dry_run_and_an_event_do_not_wait(client: Any) -> None:
    dry = client.invoke(FunctionName="echo", InvocationType="DryRun")
    assert dry["StatusCode"] == 204
    event = client.invoke(FunctionName="echo", InvocationType="Event", Payload=b"1")
    assert event["StatusCode"] == 202
    assert event["Payload"].read() == b""


def test_versions_and_aliases_keep_old_code(endpoint: Endpoint) -> None:
    create_function(endpoint, "versioned", code(1))
    client = endpoint.client("lambda")
    first = client.publish_version(FunctionName="versioned")
    assert first["Version"] == "1"
    assert client.publish_version(FunctionName="versioned")["Version"] == "1"
    new = zipped(lambda_function=code(2))
    client.update_function_code(FunctionName="versioned", ZipFile=new, Publish=True)
    client.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")
    assert invoke(client, name="versioned", Qualifier="live")["number"] == 1
    assert invoke(client, name="versioned")["number"] == 2
    client.update_alias(FunctionName="versioned", Name="live", FunctionVersion="2")
    assert invoke(client, name=first["FunctionArn"].removesuffix(":1") + ":live")["number"] == 2
    assert client.get_alias(FunctionName="versioned", Name="live")["FunctionVersion"] == "2"
    versions = client.list_versions_by_function(FunctionName="versioned")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1", "2"]
    assert len(client.list_aliases(FunctionName="versioned")["Aliases"]) == 1
    blocked = refused(client.delete_function, FunctionName="versioned", Qualifier="2")
    assert blocked[0] == "ResourceConflictException"
    client.delete_alias(FunctionName="versioned", Name="live")
    assert refused(client.get_alias, FunctionName="versioned", Name="live")[0] == (
        "ResourceNotFoundException"
    )


def test_code_comes_from_the_local_s3_too(endpoint: Endpoint) -> None:
    s3, client = endpoint.client("s3"), endpoint.client("lambda")
    s3.create_bucket(Bucket="function-code")
    s3.put_object(Bucket="function-code", Key="a/b.zip", Body=zipped(lambda_function=code(7)))
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "lambda_function.lambda_handler"}
    source = {"S3Bucket": "function-code", "S3Key": "a/b.zip"}
    client.create_function(FunctionName="from-s3", Code=source, **options)
    assert invoke(client, name="from-s3")["number"] == 7
    missing = {"S3Bucket": "function-code", "S3Key": "none.zip"}
    said = refused(client.create_function, FunctionName="nothing", Code=missing, **options)
    assert said[0] == "InvalidParameterValueException"
    assert "none.zip" in said[1]


def test_a_zip_too_large_for_a_request_is_taken_from_s3(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.server.lambda_.code.ZIP_MAX", 10)
    s3, client = endpoint.client("s3"), endpoint.client("lambda")
    content = zipped(lambda_function=code(8))
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "lambda_function.lambda_handler"}
    said = refused(
        client.create_function, FunctionName="large", Code={"ZipFile": content}, **options
    )
    assert "upload it to S3 instead" in said[1]
    s3.create_bucket(Bucket="large-code")
    s3.put_object(Bucket="large-code", Key="large.zip", Body=content)
    source = {"S3Bucket": "large-code", "S3Key": "large.zip"}
    client.create_function(FunctionName="large", Code=source, **options)
    assert invoke(client, name="large")["number"] == 8
    monkeypatch.setattr("bedrock_rft_sim.server.lambda_.code.UNZIPPED_BYTES_MAX", 10)
    said = refused(client.update_function_code, FunctionName="large", **source)
    assert said == (
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 10 bytes",
    )


def test_a_name_is_a_function_of_its_own_in_each_region(endpoint: Endpoint) -> None:
    regions = ("us-east-1", "us-west-2")
    clients = [endpoint.client("lambda", region=region) for region in regions]
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "lambda_function.lambda_handler"}
    for number, client in enumerate(clients):
        zip_file = {"ZipFile": zipped(lambda_function=code(number))}
        client.create_function(FunctionName="regional", Code=zip_file, **options)
    for number, (region, client) in enumerate(zip(regions, clients, strict=True)):
        said = invoke(client, name="regional")
        arn = f"arn:aws:lambda:{region}:123456789012:function:regional"
        assert (said["number"], said["arn"]) == (number, arn)
        assert client.get_function(FunctionName=arn)["Configuration"]["FunctionArn"] == arn
        listed = client.get_paginator("list_functions").paginate()
        arns = [one["FunctionArn"] for part in listed for one in part["Functions"]]
        assert arn in arns
        assert all(f":{region}:" in each for each in arns)
    elsewhere = f"arn:aws:lambda:{regions[0]}:123456789012:function:regional"
    said = refused(clients[1].get_function, FunctionName=elsewhere)
    assert said[0] == "ResourceNotFoundException"
    assert "not reachable in this region ('us-west-2')" in said[1]
    clients[0].delete_function(FunctionName="regional")
    assert invoke(clients[1], name="regional")["number"] == 1


HANG = """
import socket

def lambda_handler(event, context):
    try:
        socket.create_connection(("127.0.0.1", event["port"])).recv(1)
    except ConnectionError:
        pass
"""


def test_more_invocations_than_may_wait_are_told_to_come_later(
    serve_root: Callable[..., Endpoint], called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.server.lambda_.invoke.INVOKING_MAX", 1)
    endpoint = serve_root()
    create_function(endpoint, "hang", HANG)
    client = endpoint.client("lambda")
    event = json.dumps({"port": called.port})
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(client.invoke, FunctionName="hang", Payload=event)
        wait_until(called.once)
        with pytest.raises(client.exceptions.TooManyRequestsException) as error:
            client.invoke(FunctionName="hang", Payload=event)
        called.let_go()
        assert asked.result()["Payload"].read() == b"null"
    assert error.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert client.invoke(FunctionName="hang", Payload=event)["Payload"].read() == b"null"


def test_functions_are_read_and_changed_while_a_zip_is_unpacked(
    client: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacking, may_end = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **options: Any) -> Any:
        unpacking.set()
        assert may_end.wait(30)
        return unpack(*arguments, **options)

    monkeypatch.setattr("bedrock_rft_sim.server.lambda_.code.unpack", slowly)
    with ThreadPoolExecutor() as pool:
        created = pool.submit(create_function, endpoint, "slow-zip", code(9))
        try:
            assert unpacking.wait(30)
            assert client.get_function(FunctionName="echo")["Configuration"]["Timeout"] == 1
            assert client.list_functions()["Functions"]
            client.update_function_configuration(FunctionName="echo", Timeout=1)
            assert refused(client.get_function, FunctionName="slow-zip")[0] == (
                "ResourceNotFoundException"
            )
        finally:
            may_end.set()
        assert created.result()["FunctionName"] == "slow-zip"


def test_functions_are_listed_and_deleted(endpoint: Endpoint) -> None:
    client = endpoint.client("lambda")
    create_function(endpoint, "to-delete", code())
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    names = [one["FunctionName"] for part in pages for one in part["Functions"]]
    assert "to-delete" in names
    assert len(set(names)) == len(names)
    client.delete_function(FunctionName="to-delete")
    assert refused(client.get_function, FunctionName="to-delete")[0] == "ResourceNotFoundException"


def test_the_same_name_twice_is_a_conflict(client: Any, endpoint: Endpoint) -> None:
    with pytest.raises(client.exceptions.ResourceConflictException):
        create_function(endpoint, "echo", code())


def test_functions_outlive_a_restart(serve_root: Callable[..., Endpoint], tmp_path: Any) -> None:
    from contextlib import ExitStack

    from tests.server.conftest import serve

    with ExitStack() as first:
        create_function(serve(first, tmp_path / "kept"), "echo", code(3))
    again = serve_root(tmp_path / "kept")
    assert invoke(again.client("lambda"))["number"] == 3


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return out.getvalue()


def corrupt() -> bytes:
    """Return a zip with a deflate stream that is none."""
    content = bytearray(archive(("lambda_function.py", code().encode())))
    start = content.index(b"lambda_function.py") + len("lambda_function.py")
    content[start : start + 8] = b"\xff" * 8
    return bytes(content)


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("lambda_function.py")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no zip at all", id="no zip"),
        pytest.param(archive(), id="empty"),
        pytest.param(corrupt(), id="corrupt"),
        pytest.param(archive(("../../evil.py", b"")), id="zip-slip"),
        pytest.param(archive(("/etc/evil.py", b"")), id="absolute path"),
        pytest.param(archive((link(), b"/etc/passwd")), id="symlink"),
        pytest.param(archive(("big", bytes(260 * 1024 * 1024))), id="zip bomb"),
        pytest.param(archive(("a", b"x"), ("a/b", b"x")), id="file and folder"),
    ],
)
def test_a_dangerous_zip_is_refused(client: Any, content: bytes) -> None:
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "a.b", "FunctionName": "evil"}
    said = refused(client.create_function, Code={"ZipFile": content}, **options)
    assert said[0] == "InvalidParameterValueException"
    assert refused(client.get_function, FunctionName="evil")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("name", ["../evil", "a/b", ".code", "a b", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(client: Any, name: str) -> None:
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "a.b"}
    create = client.create_function
    said = refused(create, FunctionName=name, Code={"ZipFile": zipped(a="")}, **options)
    assert said[0] == "InvalidParameterValueException"


def test_another_runtime_is_refused_in_words(client: Any) -> None:
    options = {"Role": ROLE, "Handler": "a.b", "Code": {"ZipFile": zipped(a="")}}
    said = refused(client.create_function, FunctionName="js", Runtime="nodejs22.x", **options)
    assert "not simulated" in said[1]


def test_a_payload_that_is_no_json_is_refused(client: Any) -> None:
    for payload in (b"{", b"[" * 500 + b"]" * 500, b'{"a": NaN}'):
        said = refused(client.invoke, FunctionName="echo", Payload=payload)
        assert said[0] == "InvalidRequestContentException"


def test_a_payload_over_six_megabytes_is_refused(client: Any) -> None:
    payload = json.dumps("x" * (6 * 1024 * 1024))
    said = refused(client.invoke, FunctionName="echo", Payload=payload)
    assert said[0] == "RequestTooLargeException"


def test_an_operation_that_is_not_simulated_says_so(client: Any) -> None:
    code_, words = refused(client.list_code_signing_configs)
    assert code_ == "UnknownOperationException"
    assert "ListCodeSigningConfigs is not simulated" in words


def test_tags_and_permissions_are_taken(client: Any) -> None:
    arn = client.get_function(FunctionName="echo")["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    statement = client.add_permission(
        FunctionName="echo",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="bedrock.amazonaws.com",
    )["Statement"]
    assert json.loads(statement)["Principal"] == {"Service": "bedrock.amazonaws.com"}


def layer_zip(**files: str) -> bytes:
    """Return a zip by paths, in which `__` is a slash."""
    return archive(
        *((f"{name.replace('__', '/')}.py", text.encode()) for name, text in files.items())
    )


USES_LAYERS = """
import extra, shared, own
def lambda_handler(event, context):
    return [extra.NAME, shared.NAME, own.NAME]
"""


def test_a_function_finds_what_its_layers_hold(client: Any) -> None:
    first = client.publish_layer_version(
        LayerName="first",
        Content={"ZipFile": layer_zip(python__shared="NAME = 'first'", python__own="NAME = 'x'")},
        CompatibleRuntimes=["python3.12"],
    )
    site = "python__lib__python3.12__site-packages__extra"
    second = client.publish_layer_version(
        LayerName="second",
        Content={
            "ZipFile": layer_zip(**{site: "NAME = 'site'", "python__shared": "NAME = 'second'"})
        },
    )
    arns = [first["LayerVersionArn"], second["LayerVersionArn"]]
    foreign = "arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python312:16"
    code = {"ZipFile": zipped(lambda_function=USES_LAYERS, own="NAME = 'own'")}
    options = {"Runtime": "python3.12", "Role": ROLE, "Handler": "lambda_function.lambda_handler"}
    made = client.create_function(
        FunctionName="layered", Code=code, Layers=[*arns, foreign], **options
    )
    assert [one["Arn"] for one in made["Layers"]] == [*arns, foreign]
    assert invoke(client, name="layered") == ["site", "second", "own"]
    client.update_function_configuration(FunctionName="layered", Layers=arns[::-1])
    assert invoke(client, name="layered") == ["site", "first", "own"]
    client.update_function_configuration(FunctionName="layered", Layers=[])
    assert invoke(client, name="layered")["errorType"] == "Runtime.ImportModuleError"
    said = refused(
        client.update_function_configuration, FunctionName="layered", Layers=[arns[0][:-1] + "9"]
    )
    assert said[0] == "InvalidParameterValueException"


def test_layers_have_versions_that_are_read_listed_and_deleted(client: Any) -> None:
    for number in (1, 2, 3):
        content = {"ZipFile": layer_zip(python__n=f"N = {number}")}
        made = client.publish_layer_version(LayerName="numbered", Content=content)
        assert made["Version"] == number
    assert client.get_layer_version_by_arn(Arn=made["LayerVersionArn"])["Version"] == 3
    client.delete_layer_version(LayerName="numbered", VersionNumber=2)
    listed = client.list_layer_versions(LayerName="numbered")["LayerVersions"]
    assert [one["Version"] for one in listed] == [3, 1]
    layers = {one["LayerName"]: one for one in client.list_layers()["Layers"]}
    assert layers["numbered"]["LatestMatchingVersion"]["Version"] == 3
    code, _ = refused(client.get_layer_version, LayerName="numbered", VersionNumber=2)
    assert code == "ResourceNotFoundException"
    read = client.get_layer_version(LayerName="numbered", VersionNumber=1)
    assert read["Content"]["CodeSize"] > 0
