"""Other clients: curl, which signs by itself, the AWS CLI, the JavaScript SDKs, API keys.

The JavaScript SDKs are there after `npm ci --prefix tests/server/javascript`; without them their
test is skipped, and RFT_REQUIRE_NODE=1 makes that a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli.serve import exports
from tests.jobs.conftest import wait_until
from tests.server.aws_setup import BASE, create_function, put, records, rft_request
from tests.server.conftest import Endpoint
from tests.server.mantle import conftest as mantle
from tests.server.shared_models import shared_models

CURL = shutil.which("curl")
AWS = shutil.which("aws")
NODE = shutil.which("node")
JAVASCRIPT = Path(__file__).with_name("javascript")


def curl(endpoint: Endpoint, path: str, *options: str) -> Any:
    """Send a signed request; return the JSON of the answer."""
    signed = ["--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user", "testing:testing"]
    command = [CURL or "curl", "--silent", *signed, *options, endpoint.url + path]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout)


def exported(endpoint: Endpoint, home: Path) -> dict[str, str]:
    """Return the variables that `rft serve` prints, in an otherwise empty environment."""
    variables = exports(endpoint.url, region="us-east-1")
    return {"PATH": os.environ["PATH"], "HOME": str(home), **variables}


@pytest.mark.skipif(CURL is None, reason="there is no curl")
def test_curl_creates_and_describes_a_job(endpoint: Endpoint) -> None:
    put(endpoint, "curl-bucket", train=records(), validation=records(2))
    create_function(endpoint, "curl-reward")
    request = json.dumps(rft_request("by-curl", bucket="curl-bucket", function="curl-reward"))
    options = ("--header", "Content-Type: application/json", "--data", request)
    arn = curl(endpoint, "/model-customization-jobs", *options)["jobArn"]
    path = "/model-customization-jobs/" + urllib.parse.quote(arn, safe="")
    wait_until(lambda: curl(endpoint, path)["status"] == "Completed")
    assert curl(endpoint, path)["jobName"] == "by-curl"
    refused = curl(endpoint, "/guardrails")
    assert refused["__type"] == "UnknownOperationException"


@pytest.mark.skipif(AWS is None, reason="there is no AWS CLI")
def test_the_aws_cli_creates_and_describes_a_job(endpoint: Endpoint, tmp_path: Path) -> None:
    put(endpoint, "cli-bucket", train=records(), validation=records(2))
    create_function(endpoint, "cli-reward")
    request = tmp_path / "request.json"
    wanted = rft_request("by-cli", bucket="cli-bucket", function="cli-reward")
    request.write_text(json.dumps(wanted))

    def aws(*arguments: str) -> Any:
        command = [AWS or "aws", "bedrock", *arguments, "--output", "json"]
        variables = exported(endpoint, tmp_path)
        done = subprocess.run(command, env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    source = f"file://{request}"
    arn = aws("create-model-customization-job", "--cli-input-json", source)["jobArn"]
    shown = aws("get-model-customization-job", "--job-identifier", arn)
    assert shown["customizationConfig"] == wanted["customizationConfig"]


def test_the_javascript_sdks_create_and_describe_jobs(endpoint: Endpoint, tmp_path: Path) -> None:
    if NODE is None or not (JAVASCRIPT / "node_modules").is_dir():
        words = "the JavaScript SDKs are not there: npm ci --prefix tests/server/javascript"
        (pytest.fail if os.environ.get("RFT_REQUIRE_NODE") == "1" else pytest.skip)(words)
    endpoint.state.models = shared_models()
    put(endpoint, "js-bucket", train=records(), validation=records(2))
    create_function(endpoint, "js-reward")
    mantle.create_function(endpoint, "reward", mantle.REWARD)
    wanted = {
        "bedrock": rft_request("by-js", bucket="js-bucket", function="js-reward"),
        "openai": {"model": "openai.gpt-oss-20b", "method": mantle.method()},
        "records": mantle.records(100).decode(),
        "model": BASE,
    }
    request = tmp_path / "request.json"
    request.write_text(json.dumps(wanted))
    command = [NODE, str(JAVASCRIPT / "clients.mjs"), str(request)]
    done = subprocess.run(
        command, env=exported(endpoint, tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    job = found["bedrock"]["job"]
    assert job["status"] == "Completed"
    assert job["customizationConfig"] == wanted["bedrock"]["customizationConfig"]
    assert found["bedrock"]["listed"] == [job["jobArn"]]
    assert found["bedrock"]["refused"] == "UnknownOperationException"
    assert found["answer"]["role"] == "assistant"
    told = found["openai"]
    assert told["job"]["status"] == "succeeded"
    assert told["job"]["method"] == wanted["openai"]["method"]
    messages = [event["message"] for event in told["events"]]
    assert "rehearsal: the local model 'tiny' stands in for openai.gpt-oss-20b" in messages
    assert len({event["id"] for event in told["events"]}) == len(messages) > 2
    assert told["refused"] == "NotFoundError"


@pytest.mark.skipif(CURL is None, reason="there is no curl")
def test_a_bedrock_api_key_in_place_of_a_signature_is_taken(endpoint: Endpoint) -> None:
    """Not by boto3, which sends such a key over HTTPS only."""

    def ask(path: str, *options: str) -> Any:
        bearer = ["--header", "Authorization: Bearer local", *options]
        command = [CURL or "curl", "--silent", *bearer, endpoint.url + path]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert "modelCustomizationJobSummaries" in ask("/model-customization-jobs")
    arn = f"arn:aws:bedrock:us-east-1:123456789012:custom-model/{BASE}/abcdefghijkl"
    unknown = ask("/listTagsForResource", "--json", json.dumps({"resourceARN": arn}))
    assert unknown["__type"] == "ResourceNotFoundException"
    assert "not simulated" in ask("/guardrails")["message"]
    assert ask("/v1/models")["object"] == "list"


@pytest.mark.parametrize("shown", ["signature", "api key"])
def test_the_openai_sdks_own_bedrock_client_needs_only_its_variables(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    from openai import BedrockOpenAI

    for name, value in exported(endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    if shown == "api key":
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "local")
    with BedrockOpenAI(max_retries=0) as client:
        if shown == "api key":  # the SDK can't sign an upload
            file = client.files.create(file=("t.jsonl", mantle.records(100)), purpose="fine-tune")
            assert client.files.retrieve(file.id).filename == "t.jsonl"
        assert "openai.gpt-oss-20b" in [model.id for model in client.models.list()]
