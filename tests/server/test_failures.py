"""Why a job failed is said in the client's words: its URIs and its request's own fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.jobs import rehearsal_command
from tests.server.aws_setup import create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint


def failed(endpoint: Endpoint, name: str, content: bytes, **hyper: Any) -> str:
    """Create a job that fails in its first second; return its message."""
    create_function(endpoint, name)
    put(endpoint, name, train=content, validation=records(3))
    request = rft_request(name, bucket=name, function=name)
    request["customizationConfig"]["rftConfig"]["hyperParameters"] = {"batchSize": 16, **hyper}
    client = endpoint.client("bedrock")
    arn = client.create_model_customization_job(**request)["jobArn"]
    return str(wait_for_job(client, arn)["failureMessage"])


@pytest.fixture
def endpoint(serve_root: Callable[..., Endpoint]) -> Endpoint:
    return serve_root(start=rehearsal_command)


def test_data_go_by_their_uri(endpoint: Endpoint, tmp_path: Path) -> None:
    said = failed(endpoint, "broken-data", b'{"messages": []}\n' + records(100))
    assert "s3://broken-data/train.jsonl:1" in said
    assert str(tmp_path) not in said
    assert "/inputs/" not in said


def test_fields_go_by_the_request_s_names(endpoint: Endpoint) -> None:
    said = failed(endpoint, "few-records", records(100), batchSize=128)
    assert "lower the batch size in the request" in said
    assert "local." not in said
