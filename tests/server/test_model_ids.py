"""A model goes by every spelling that people use, and an unknown one is told which there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from openai import NotFoundError, OpenAI

from bedrock_rft_sim.server.mapping import ModelMapping, StandIn
from bedrock_rft_sim.server.runtime.callable_model import callable_model
from tests.server.aws_setup import create_function, put, records, rft_request
from tests.server.conftest import Endpoint
from tests.server.mantle import conftest as mantle

NOVA = "amazon.nova-2-lite-v1:0:256k"
SHORT = "amazon.nova-2-lite-v1:0"
ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
SPELLINGS = {
    NOVA: NOVA,
    SHORT: NOVA,
    f"us.{SHORT}": NOVA,
    f"eu.{SHORT}": NOVA,
    f"global.{SHORT}": NOVA,
    f"us.{NOVA}": NOVA,
    f"arn:aws:bedrock:us-east-1::foundation-model/{SHORT}": NOVA,
    f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}": NOVA,
    f"{ACCOUNT}:inference-profile/us.{SHORT}": NOVA,
    f"{ACCOUNT}:inference-profile/global.{SHORT}": NOVA,
    "openai.gpt-oss-20b": "openai.gpt-oss-20b",
    "openai.gpt-oss-20b-1:0": "openai.gpt-oss-20b",
    "qwen.qwen3-32b": "qwen.qwen3-32b",
    "qwen.qwen3-32b-v1:0": "qwen.qwen3-32b-v1:0",
}
STRANGERS = ("amazon.nova-2-lite", "amazon.nova-pro-v1:0", "us.amazon", "global.", "", "gpt-4o")


@pytest.mark.parametrize(("spelled", "base"), SPELLINGS.items())
def test_every_spelling_means_its_base_model(spelled: str, base: str) -> None:
    mapping = ModelMapping(models={base: StandIn(model="mapped")})
    assert mapping.base(spelled) == base
    assert mapping.stand_in(spelled).model == "mapped"


@pytest.mark.parametrize("name", STRANGERS)
def test_another_model_is_not_taken_for_a_known_one(name: str) -> None:
    assert ModelMapping().base(name) is None


def test_a_mapping_may_spell_a_model_in_any_way_and_add_others() -> None:
    mapping = ModelMapping(models={SHORT: StandIn(model="a"), "my.model-v1:0": StandIn(model="b")})
    assert mapping.stand_in(NOVA).model == "a"
    assert mapping.ids.count(NOVA) == 1
    assert SHORT not in mapping.ids
    assert mapping.base("us.my.model-v1:0") == "my.model-v1:0"


@pytest.mark.parametrize(
    "spelled", [SHORT, f"us.{SHORT}", f"arn:aws:bedrock:us-east-1::foundation-model/{SHORT}"]
)
def test_a_job_takes_the_spelling_and_says_what_it_took_it_for(
    endpoint: Endpoint, spelled: str
) -> None:
    bucket = f"spelled-{len(spelled)}"
    put(endpoint, bucket, train=records(), validation=records(2))
    create_function(endpoint, bucket)
    request = rft_request(bucket, bucket=bucket, function=bucket, baseModelIdentifier=spelled)
    bedrock = endpoint.client("bedrock")
    made = bedrock.create_model_customization_job(**request)
    told = made["ResponseMetadata"]["HTTPHeaders"]["x-rft-rehearsal"]
    assert f"{spelled} is taken for" in told
    job = bedrock.get_model_customization_job(jobIdentifier=made["jobArn"])
    assert job["baseModelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"


def test_a_job_in_another_region_is_refused_however_its_model_is_spelled(
    endpoint: Endpoint,
) -> None:
    put(endpoint, "spelled-abroad", train=records(), validation=records(2))
    create_function(endpoint, "spelled-abroad")
    arn = f"arn:aws:bedrock:eu-west-1::foundation-model/{SHORT}"
    names = {"bucket": "spelled-abroad", "function": "spelled-abroad"}
    request = rft_request("abroad", **names, baseModelIdentifier=arn)
    with pytest.raises(ClientError, match="us-east-1"):
        endpoint.client("bedrock").create_model_customization_job(**request)


@pytest.mark.parametrize(
    "name", ["amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/x.y"]
)
def test_an_unknown_model_is_told_which_there_are(endpoint: Endpoint, name: str) -> None:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
    for call in (
        lambda: endpoint.client("bedrock-runtime").converse(modelId=name, **asked),
        lambda: endpoint.client("bedrock").get_foundation_model(modelIdentifier=name),
    ):
        with pytest.raises(ClientError, match=f"{NOVA}.*openai.gpt-oss-20b"):
            call()


def test_the_openai_api_takes_the_spelling_too(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=mantle.stub_command, region="us-west-2")
    mantle.create_function(endpoint, "reward", mantle.REWARD)
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="x", max_retries=0) as client:
        file = client.files.create(file=("t.jsonl", mantle.records(100)), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="openai.gpt-oss-20b-1:0",
            training_file=file.id,
            extra_body={"method": mantle.method()},
        )
        assert job.model == "openai.gpt-oss-20b"
        told = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
        assert any("openai.gpt-oss-20b-1:0 is taken for openai.gpt-oss-20b" in one for one in told)
        with pytest.raises(NotFoundError, match=r"known are openai\.gpt-oss-20b"):
            client.models.retrieve("gpt-4o")


def test_inference_profiles_are_those_of_the_geography_and_of_the_world(endpoint: Endpoint) -> None:
    for region, geography in (("us-east-1", "us"), ("eu-west-1", "eu"), ("ap-south-1", "apac")):
        bedrock = endpoint.client("bedrock", region=region)
        listed = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED")
        found = {one["inferenceProfileId"]: one for one in listed["inferenceProfileSummaries"]}
        assert set(found) == {f"{geography}.{SHORT}", f"global.{SHORT}"}
        assert not bedrock.list_inference_profiles(typeEquals="APPLICATION")[
            "inferenceProfileSummaries"
        ]
        for profile in found.values():
            for name in (profile["inferenceProfileId"], profile["inferenceProfileArn"]):
                got = bedrock.get_inference_profile(inferenceProfileIdentifier=name)
                assert {key: got[key] for key in profile} == profile
            assert profile["models"][0]["modelArn"].endswith(f":foundation-model/{SHORT}")
            assert callable_model(endpoint.state, profile["inferenceProfileArn"]) == "tiny"
        pages = bedrock.get_paginator("list_inference_profiles").paginate(
            PaginationConfig={"PageSize": 1}
        )
        assert len([one for page in pages for one in page["inferenceProfileSummaries"]]) == 2
        with pytest.raises(ClientError, match=f"known are {geography}.{SHORT}"):
            bedrock.get_inference_profile(inferenceProfileIdentifier="us.nothing.here")
