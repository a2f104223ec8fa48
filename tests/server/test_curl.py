"""A client that is not Python's: curl, which signs by itself, creates and describes a job."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
from typing import Any

import pytest

from tests.jobs.conftest import wait_until
from tests.server.asking import create_function, put, records, rft_request
from tests.server.conftest import Endpoint

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="there is no curl")


def curl(endpoint: Endpoint, path: str, *options: str) -> Any:
    """Send a signed request; return the JSON of the answer."""
    signed = ["--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user", "testing:testing"]
    command = [CURL or "curl", "--silent", *signed, *options, endpoint.url + path]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout)


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
