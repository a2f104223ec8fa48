"""A reward that asks a judge reaches the endpoint's models, when invoked and in a job."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bedrock_rft_sim.jobs import rehearsal_command
from bedrock_rft_sim.server.mapping import ModelMapping, StandIn
from tests.server.aws_setup import create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint

JUDGE = """
import boto3

def lambda_handler(event, context):
    found = boto3.client("bedrock").get_foundation_model(modelIdentifier="acme.judge")
    raise ValueError(found["modelDetails"]["modelId"] + " said nothing")
"""
JUDGED = ModelMapping(models={"acme.judge": StandIn()})


def test_a_function_reaches_the_judge_that_the_mapping_names(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(mapping=JUDGED)
    create_function(endpoint, "judge", JUDGE.replace("raise ValueError", "return str"), Timeout=60)
    answer = endpoint.client("lambda").invoke(FunctionName="judge", Payload=b"{}")
    assert json.load(answer["Payload"]) == "acme.judge said nothing"


@pytest.mark.slow
def test_a_job_whose_reward_always_fails_ends_with_what_the_handler_said(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(mapping=JUDGED, start=rehearsal_command)
    create_function(endpoint, "judge", JUDGE, Timeout=60)
    put(endpoint, "judged", train=records(), validation=records(3))
    client = endpoint.client("bedrock")
    request = rft_request("judged", bucket="judged", function="judge")
    arn = client.create_model_customization_job(**request)["jobArn"]
    said = wait_for_job(client, arn)["failureMessage"]
    assert "acme.judge said nothing" in said
