"""CloudWatch Logs: what functions printed, read as clients and `aws logs tail` read it."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.server.lambda_ import logs as store
from bedrock_rft_sim.server.logs import pattern_of
from tests.jobs.conftest import wait_until
from tests.server.aws_setup import create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint, serve

GROUP = "/aws/lambda/logged"
CODE = """
def lambda_handler(event, context):
    print("got", event)
    print("two\\nlines")
    if event == "fail":
        raise ValueError("no number in sight")
"""


def invoke(endpoint: Endpoint, event: object, name: str = "logged", **options: Any) -> str:
    client = endpoint.client("lambda")
    payload = json.dumps(event).encode()
    answer = client.invoke(FunctionName=name, Payload=payload, **options)
    identity: str = answer["ResponseMetadata"]["RequestId"]
    return identity


@pytest.fixture(scope="module")
def ids(endpoint: Endpoint) -> list[str]:
    """Invoke three times; return the request ids."""
    create_function(endpoint, "logged", CODE)
    return [invoke(endpoint, event) for event in ("one", "fail", "three")]


@pytest.fixture(scope="module")
def logs(endpoint: Endpoint, ids: list[str]) -> Any:
    return endpoint.client("logs")


def messages(found: Any) -> list[str]:
    return [event["message"] for event in found["events"]]


def test_everything_printed_stands_between_lambdas_own_lines(logs: Any, ids: list[str]) -> None:
    found = messages(logs.filter_log_events(logGroupName=GROUP))
    assert found[0].startswith("INIT_START")
    first = found[1:7]
    assert first[:4] == [f"START RequestId: {ids[0]} Version: $LATEST", "got one", "two", "lines"]
    assert first[4] == f"END RequestId: {ids[0]}"
    assert first[5].startswith(f"REPORT RequestId: {ids[0]}\tDuration: ")
    assert "ValueError: no number in sight" in "\n".join(found)
    assert [line.split()[2] for line in found if line.startswith("REPORT")] == ids


def test_events_are_tailed_page_by_page_without_repeating_one(logs: Any) -> None:
    wanted = {"logGroupName": GROUP, "interleaved": True, "startTime": 0}
    whole = logs.filter_log_events(**wanted)["events"]
    pages = logs.get_paginator("filter_log_events").paginate(
        **wanted, PaginationConfig={"PageSize": 4}
    )
    assert [event for page in pages for event in page["events"]] == whole
    assert len({event["eventId"] for event in whole}) == len(whole)
    last = whole[-1]["timestamp"]
    later = logs.filter_log_events(**{**wanted, "startTime": last + 1})
    assert later["events"] == []
    earlier = logs.filter_log_events(logGroupName=GROUP, endTime=whole[0]["timestamp"])
    assert earlier["events"] == []
    arn = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["logGroupArn"]
    assert logs.filter_log_events(logGroupIdentifier=arn)["events"] == whole


def test_a_filter_pattern_keeps_what_it_says(logs: Any) -> None:
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern='?"got one" ?three -REPORT')
    assert messages(found) == ["got one", "got three"]
    with pytest.raises(ClientError, match=r"InvalidParameterException.*not simulated"):
        logs.filter_log_events(logGroupName=GROUP, filterPattern='{ $.level = "ERROR" }')


@pytest.mark.parametrize(
    ("pattern", "message", "is_kept"),
    [
        ("", "anything", True),
        ("a b", "b and a", True),
        ("a b", "only a", False),
        ("a -b", "a and b", False),
        ("?x ?b", "b", True),
        ("?x ?y", "b", False),
        ('"a b"', "a  b", False),
        (r'"say \"hi\""', 'I say "hi"', True),
        ("  a  ", "a", True),
    ],
)
def test_terms_of_a_pattern(pattern: str, message: str, is_kept: bool) -> None:
    assert pattern_of(pattern)(message) is is_kept


def test_a_stream_is_read_forwards_and_backwards_to_its_ends(logs: Any) -> None:
    streams = logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True
    )["logStreams"]
    at = {"logGroupName": GROUP, "logStreamName": streams[0]["logStreamName"]}
    whole = messages(logs.get_log_events(**at, startFromHead=True))
    found, page = [], logs.get_log_events(**at, startFromHead=True, limit=4)
    while page["events"]:
        found += messages(page)
        token = page["nextForwardToken"]
        page = logs.get_log_events(**at, nextToken=token, limit=4)
    assert (found, page["nextForwardToken"]) == (whole, token)
    tail = logs.get_log_events(**at, limit=2)
    assert messages(tail) == whole[-2:]
    before = logs.get_log_events(**at, limit=2, nextToken=tail["nextBackwardToken"])
    assert messages(before) == whole[-4:-2]


def test_groups_are_listed_by_their_start_in_their_own_region(
    endpoint: Endpoint, logs: Any
) -> None:
    listed = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/logg")["logGroups"]
    assert [one["logGroupName"] for one in listed] == [GROUP]
    assert listed[0]["storedBytes"] > 0
    elsewhere = endpoint.client("logs", region="us-west-2")
    assert elsewhere.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"] == []
    for call in (elsewhere.filter_log_events, elsewhere.describe_log_streams):
        with pytest.raises(ClientError, match=r"ResourceNotFoundException.*does not exist"):
            call(logGroupName=GROUP)
    with pytest.raises(ClientError, match="log stream does not exist"):
        logs.get_log_events(logGroupName=GROUP, logStreamName="none")
    with pytest.raises(ClientError, match="not simulated"):
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)


def test_events_are_logged_too_and_logs_outlive_a_restart_and_their_function(
    serve_root: Callable[..., Endpoint], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        endpoint = serve(stack, tmp_path / "kept")
        create_function(endpoint, "logged", CODE)
        invoke(endpoint, "later", InvocationType="Event")
        client = endpoint.client("logs")
        wait_until(lambda: bool(client.describe_log_groups()["logGroups"]))
        endpoint.client("lambda").delete_function(FunctionName="logged")
    client = serve_root(tmp_path / "kept").client("logs")
    assert "got later" in messages(client.filter_log_events(logGroupName=GROUP))
    client.delete_log_group(logGroupName=GROUP)
    assert client.describe_log_groups()["logGroups"] == []


def test_the_oldest_stream_goes_once_there_are_too_many(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STREAM_BYTES_MAX", 0)
    monkeypatch.setattr(store, "STREAMS_MAX", 2)
    endpoint = serve_root()
    create_function(endpoint, "logged", CODE)
    for number in range(4):
        invoke(endpoint, f"number {number}")
    found = messages(endpoint.client("logs").filter_log_events(logGroupName=GROUP))
    assert [line for line in found if "number" in line] == ["got number 2", "got number 3"]


def test_what_a_jobs_grader_printed_is_a_stream_of_its_function(
    serve_root: Callable[..., Endpoint], tmp_path: Path
) -> None:
    start = functools.partial(grading_command, tmp_path / "grade.py")
    endpoint = serve_root(start=start)
    put(endpoint, "graded-data", train=records(), validation=records(2))
    create_function(endpoint, "logged")
    bedrock = endpoint.client("bedrock")
    request = rft_request("graded", bucket="graded-data", function="logged")
    job = wait_for_job(bedrock, bedrock.create_model_customization_job(**request)["jobArn"])
    client = endpoint.client("logs")
    [stream] = client.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert stream["logStreamName"].endswith(f"[$LATEST]{job['jobArn'].rpartition('/')[2]}")
    found = client.filter_log_events(logGroupName=GROUP)["events"]
    assert [one["message"] for one in found][1:] == [
        "START RequestId: a Version: $LATEST",
        "graded 1",
        "END RequestId: a",
        found[-1]["message"],
    ]
    assert found[-1]["message"].startswith("REPORT RequestId: a")
    began, ended = found[1]["timestamp"], found[-1]["timestamp"]
    assert ended - began == 2000
    assert job["creationTime"].timestamp() * 1000 <= ended


GRADE = """
import sys
from pathlib import Path
from bedrock_rft_sim.grader.container import Outcome
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.runs import RunFolder
with RunFolder.create(Path(sys.argv[1]), sys.argv[2]) as folder:
    outcome = Outcome("a", b"[]", 2.0, 0.5, 30.0, b"graded 1\\n", "hooks")
    GraderLog(folder.grader_log, memory_mb=128).write(outcome)
    folder.write_record(status="Completed")
"""


def grading_command(script: Path, recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    """Return a training that only invokes its grader once."""
    script.write_text(GRADE)
    return [sys.executable, str(script), str(job.folder.parent), job.id]
