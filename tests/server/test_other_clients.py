"""Clients other than boto3: curl, which signs by itself, and the AWS CLI, unchanged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.conftest import wait_until
from tests.server.asking import create_function, put, records, rft_request
from tests.server.conftest import Endpoint

CURL = shutil.which("curl")
AWS = shutil.which("aws")


def curl(endpoint: Endpoint, path: str, *options: str) -> Any:
    """Send a signed request; return the JSON of the answer."""
    signed = ["--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user", "testing:testing"]
    command = [CURL or "curl", "--silent", *signed, *options, endpoint.url + path]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout)


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
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def aws(*arguments: str) -> Any:
        command = [AWS or "aws", "bedrock", *arguments, "--output", "json"]
        done = subprocess.run(command, env=variables, capture_output=True, check=True)
        return json.loads(done.stdout)

    source = f"file://{request}"
    arn = aws("create-model-customization-job", "--cli-input-json", source)["jobArn"]
    shown = aws("get-model-customization-job", "--job-identifier", arn)
    assert shown["customizationConfig"] == wanted["customizationConfig"]
