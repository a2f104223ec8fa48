"""Bedrock's control plane through an unchanged boto3 client, with a stub for the training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.server.bedrock import jobs
from bedrock_rft_sim.server.mapping import ModelMapping, StandIn
from bedrock_rft_sim.server.rehearsal import rehearsal_of
from bedrock_rft_sim.server.runtime.callable_model import callable_model
from tests.jobs.conftest import stub_command, wait_until
from tests.server.aws_setup import (
    REWARD,
    create_function,
    put,
    records,
    rft_request,
    wait_for_job,
    zipped,
)
from tests.server.conftest import Endpoint

BUCKET = "training-data"
FUNCTION = "reward-of-the-control-plane"


@pytest.fixture(scope="module")
def bedrock(endpoint: Endpoint) -> Any:
    put(endpoint, BUCKET, train=records(), validation=records(10), few=records(99))
    create_function(endpoint, FUNCTION)
    return endpoint.client("bedrock")


def request(name: str, **changes: Any) -> dict[str, Any]:
    return rft_request(name, bucket=BUCKET, function=FUNCTION, **changes)


@pytest.fixture(scope="module")
def done(bedrock: Any) -> dict[str, Any]:
    """Return a completed job, as Get shows it."""
    created = bedrock.create_model_customization_job(**request("done"))
    return wait_for_job(bedrock, created["jobArn"])


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def test_every_field_of_the_request_comes_back(done: dict[str, Any]) -> None:
    sent = request("done")
    assert done["status"] == "Completed"
    for name in ("jobName", "roleArn", "customizationType", "customizationConfig"):
        assert done[name] == sent[name]
    for name in ("trainingDataConfig", "validationDataConfig", "outputDataConfig"):
        assert done[name] == sent[name]
    assert done["baseModelArn"] == sent["baseModelIdentifier"]
    assert done["outputModelName"] == "done-model"
    assert done["endTime"] >= done["creationTime"]
    assert "failureMessage" not in done


def test_what_the_rehearsal_does_differently_is_told_beside_the_job(done: dict[str, Any]) -> None:
    told = done["ResponseMetadata"]["HTTPHeaders"]["x-rft-rehearsal"]
    assert told.startswith("the local model 'tiny' stands in for amazon.nova-2-lite-v1:0:256k. ")
    assert "training ends after 70 steps at the latest." in told


def test_all_phases_are_complete_at_the_end(done: dict[str, Any]) -> None:
    phases = ("validationDetails", "dataProcessingDetails", "trainingDetails")
    assert [done["statusDetails"][name]["status"] for name in phases] == ["Completed"] * 3


def test_a_job_is_found_by_name_by_id_by_arn_and_by_an_encoded_arn(
    bedrock: Any, endpoint: Endpoint, done: dict[str, Any]
) -> None:
    import json
    import urllib.request

    arn = done["jobArn"]
    for identifier in ("done", arn, arn.rpartition("/")[2]):
        assert bedrock.get_model_customization_job(jobIdentifier=identifier)["jobArn"] == arn
    quoted = urllib.parse.quote(arn, safe="")
    url = f"{endpoint.url}/model-customization-jobs/{quoted}"
    with urllib.request.urlopen(url) as response:
        assert json.load(response)["jobArn"] == arn


def test_the_same_token_is_the_same_job(bedrock: Any) -> None:
    once = request("token-job", clientRequestToken="one-token")
    first = bedrock.create_model_customization_job(**once)["jobArn"]
    assert bedrock.create_model_customization_job(**once)["jobArn"] == first


def test_a_job_whose_data_are_being_read_holds_up_no_other_and_may_find_its_name_taken(
    endpoint: Endpoint, bedrock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, other_is_there = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        if not reading.is_set():
            reading.set()
            assert other_is_there.wait(20)
        return rehearsal_of(*arguments)

    monkeypatch.setattr(jobs, "rehearsal_of", slowly)
    with ThreadPoolExecutor(1) as pool:
        create = endpoint.client("bedrock").create_model_customization_job
        first = pool.submit(refused, create, **request("raced"))
        assert reading.wait(20)
        assert bedrock.create_model_customization_job(**request("raced"))["jobArn"]
        other_is_there.set()
        assert first.result(20)[0] == "ConflictException"


def test_a_name_in_use_is_a_conflict(bedrock: Any, done: dict[str, Any]) -> None:
    create = bedrock.create_model_customization_job
    assert refused(create, **request("done"))[0] == "ConflictException"
    code, words = refused(create, **request("other", customModelName="done-model"))
    assert code == "ConflictException"
    assert "done-model" in words


def hyper(**values: Any) -> dict[str, Any]:
    config = request("x")["customizationConfig"]
    config["rftConfig"]["hyperParameters"] = values
    return {"customizationConfig": config}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jobName": "no spaces"}, "jobName"),
        (hyper(batchSize=10_000), "batchSize"),
        ({"customizationType": "FINE_TUNING"}, "FINE_TUNING is not simulated"),
        ({"baseModelIdentifier": "amazon.titan-text-lite-v1"}, "baseModelIdentifier"),
        ({"trainingDataConfig": {"s3Uri": "s3://nowhere-at-all/a.jsonl"}}, "nowhere-at-all"),
        ({"trainingDataConfig": {"s3Uri": f"s3://{BUCKET}/none.jsonl"}}, "none.jsonl"),
        ({"trainingDataConfig": {"s3Uri": f"s3://{BUCKET}/few.jsonl"}}, "found 99"),
        ({"outputDataConfig": {"s3Uri": "s3://no-output-bucket/"}}, "no-output-bucket"),
    ],
)
def test_what_bedrock_would_refuse_is_refused_by_name(
    bedrock: Any, changes: dict[str, Any], words: str
) -> None:
    code, said = refused(bedrock.create_model_customization_job, **request("bad", **changes))
    assert code == "ValidationException"
    assert words in said
    assert refused(bedrock.get_model_customization_job, jobIdentifier="bad")[0] == (
        "ResourceNotFoundException"
    )


def test_a_function_that_is_not_there_is_named(bedrock: Any) -> None:
    wrong = rft_request("bad", bucket=BUCKET, function="nobody")
    code, words = refused(bedrock.create_model_customization_job, **wrong)
    assert code == "ValidationException"
    assert "function:nobody" in words


def test_a_region_without_the_model_is_refused(bedrock: Any, endpoint: Endpoint) -> None:
    elsewhere = endpoint.client("bedrock", region="eu-west-1")
    plain = request("bad", baseModelIdentifier="amazon.nova-2-lite-v1:0:256k")
    code, words = refused(elsewhere.create_model_customization_job, **plain)
    assert code == "ValidationException"
    assert "us-east-1" in words


def test_unknown_things_are_not_found(bedrock: Any) -> None:
    for call, name in (
        (bedrock.get_model_customization_job, "jobIdentifier"),
        (bedrock.stop_model_customization_job, "jobIdentifier"),
        (bedrock.get_custom_model, "modelIdentifier"),
        (bedrock.delete_custom_model, "modelIdentifier"),
    ):
        assert refused(call, **{name: "nobody"})[0] == "ResourceNotFoundException"
    base = refused(bedrock.get_foundation_model, modelIdentifier="amazon.nobody-v1:0")
    assert base[0] == "ResourceNotFoundException"
    deployment = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
    call = bedrock.get_custom_model_deployment
    found = refused(call, customModelDeploymentIdentifier=deployment)
    assert found[0] == "ResourceNotFoundException"


def test_the_metrics_lie_in_the_output_bucket(
    bedrock: Any, endpoint: Endpoint, done: dict[str, Any]
) -> None:
    s3 = endpoint.client("s3")
    base = f"output/model-customization-job-{done['jobArn'].rpartition('/')[2]}"
    key = f"{base}/training_artifacts/step_wise_training_metrics.csv"

    def delivered() -> bool:
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=base).get("Contents", [])
        return key in [one["Key"] for one in listed]

    wait_until(delivered)
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert body.startswith("step_number,")
    assert len(body.splitlines()) == 4


def test_the_recipe_is_the_request_and_what_stands_in(
    endpoint: Endpoint, done: dict[str, Any]
) -> None:
    from bedrock_rft_sim.recipe import load_recipe

    job_id = done["jobArn"].rpartition("/")[2]
    recipe = load_recipe(endpoint.state.root / "recipes" / f"{job_id}.yaml")
    assert recipe.payload() is not None
    assert recipe.settings.max_steps == 70
    assert recipe.settings.inference_max_tokens == 96
    assert recipe.settings.learning_rate == 5e-5
    assert (recipe.reward_path / "lambda_function.py").is_file()
    remarks = endpoint.state.jobs.get(job_id).bedrock.remarks
    assert any("70 steps" in remark for remark in remarks)
    assert any("inferenceMaxTokens is 96" in remark for remark in remarks)


def test_jobs_are_listed_in_pages_with_filters(serve_root: Callable[..., Endpoint]) -> None:
    endpoint = serve_root(start=stub_command(1000, 0.05))
    put(endpoint, BUCKET, train=records(), validation=records(10))
    create_function(endpoint, FUNCTION)
    client = endpoint.client("bedrock")
    names = [f"job-{number}" for number in range(5)]
    for name in names:
        client.create_model_customization_job(**request(name))
    client.stop_model_customization_job(jobIdentifier="job-4")
    key = "modelCustomizationJobSummaries"
    listed: list[str] = []
    for part in client.get_paginator("list_model_customization_jobs").paginate(
        PaginationConfig={"PageSize": 2}
    ):
        assert len(part[key]) <= 2
        listed += [one["jobName"] for one in part[key]]
    assert listed == names[::-1]
    found = client.list_model_customization_jobs
    ascending = found(sortBy="CreationTime", sortOrder="Ascending")[key]
    assert [one["jobName"] for one in ascending] == names
    assert [one["jobName"] for one in found(statusEquals="Stopped")[key]] == ["job-4"]
    assert [one["jobName"] for one in found(nameContains="b-3")[key]] == ["job-3"]
    created = ascending[2]["creationTime"]
    after = [one["jobName"] for one in found(creationTimeAfter=created)[key]]
    assert after[:2] == ["job-4", "job-3"]
    assert "job-1" not in after
    assert refused(found, nextToken="mine")[0] == "ValidationException"


def test_a_stopped_job_is_stopping_then_stopped_then_a_conflict(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=stub_command(1000, 0.05))
    put(endpoint, BUCKET, train=records(), validation=records(10))
    create_function(endpoint, FUNCTION)
    client = endpoint.client("bedrock")
    arn = client.create_model_customization_job(**request("stopped"))["jobArn"]

    def details() -> dict[str, Any]:
        found: dict[str, Any] = client.get_model_customization_job(jobIdentifier=arn)
        return found

    wait_until(lambda: details()["statusDetails"]["trainingDetails"]["status"] == "InProgress")
    assert details()["status"] == "InProgress"
    assert "endTime" not in details()
    client.stop_model_customization_job(jobIdentifier=arn)
    ended = wait_for_job(client, arn)
    assert ended["status"] == "Stopped"
    assert ended["statusDetails"]["trainingDetails"]["status"] == "Stopped"
    assert "outputModelArn" not in ended
    again = refused(client.stop_model_customization_job, jobIdentifier=arn)
    assert again[0] == "ConflictException"


def test_a_model_is_read_deployed_tagged_and_deleted(bedrock: Any, endpoint: Endpoint) -> None:
    created = bedrock.create_model_customization_job(**request("whole-life"))
    model = wait_for_job(bedrock, created["jobArn"])["outputModelArn"]
    assert bedrock.get_custom_model(modelIdentifier=model)["jobName"] == "whole-life"
    assert bedrock.get_custom_model(modelIdentifier="whole-life-model")["modelArn"] == model
    names = [one["modelName"] for one in bedrock.list_custom_models()["modelSummaries"]]
    assert "whole-life-model" in names
    arn = bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=model)[
        "customModelDeploymentArn"
    ]
    shown = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert shown["status"] == "Active"
    assert shown["modelArn"] == model
    folder = Path(callable_model(endpoint.state, arn))
    assert (folder / "config.json").is_file()
    listed = bedrock.list_custom_model_deployments(modelArnEquals=model)
    assert [one["customModelDeploymentArn"] for one in listed["modelDeploymentSummaries"]] == [arn]
    twice = {"modelDeploymentName": "live", "modelArn": model}
    code, words = refused(bedrock.create_custom_model_deployment, **twice)
    assert code == "ValidationException"  # Create lists no ConflictException
    assert "named 'live' already exists" in words
    assert refused(bedrock.delete_custom_model, modelIdentifier=model)[0] == "ConflictException"
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    bedrock.delete_custom_model(modelIdentifier=model)
    assert refused(bedrock.get_custom_model, modelIdentifier=model)[0] == (
        "ResourceNotFoundException"
    )


def test_tags_are_set_listed_and_taken_away(bedrock: Any, done: dict[str, Any]) -> None:
    arn = done["jobArn"]
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "a", "value": "1"}])
    tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    assert tags == [{"key": "team", "value": "rft"}, {"key": "a", "value": "1"}]
    bedrock.untag_resource(resourceARN=arn, tagKeys=["team", "a"])
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == []


def test_the_base_models_are_those_of_rft(bedrock: Any, endpoint: Endpoint) -> None:
    found = bedrock.list_foundation_models(byProvider="amazon")["modelSummaries"]
    assert [one["modelId"] for one in found] == ["amazon.nova-2-lite-v1:0:256k"]
    details = bedrock.get_foundation_model(modelIdentifier=found[0]["modelId"])["modelDetails"]
    assert details["modelArn"] == found[0]["modelArn"]
    assert callable_model(endpoint.state, found[0]["modelId"]) == "tiny"


MODEL = "amazon.nova-2-lite-v1:0:256k"


def test_models_that_can_be_tuned_are_found_by_that(bedrock: Any) -> None:
    found = bedrock.list_foundation_models(byCustomizationType="FINE_TUNING")["modelSummaries"]
    assert MODEL in [one["modelId"] for one in found]
    assert (
        bedrock.list_foundation_models(byCustomizationType="DISTILLATION")["modelSummaries"] == []
    )


def test_an_operation_that_is_not_simulated_says_so_in_awss_form(bedrock: Any) -> None:
    code, words = refused(bedrock.list_guardrails)
    assert code == "UnknownOperationException"
    assert words == "ListGuardrails is not simulated by the local endpoint"


def test_another_service_is_refused_in_awss_form(endpoint: Endpoint) -> None:
    _, words = refused(endpoint.client("sqs").list_queues)
    assert "not simulated" in words


def test_a_failed_job_gives_its_reason(serve_root: Callable[..., Endpoint]) -> None:
    def broken(*_: object) -> list[str]:
        return ["/bin/sh", "-c", "echo 'rft: the handler failed' >&2; exit 1"]

    endpoint = serve_root(start=broken)
    put(endpoint, BUCKET, train=records(), validation=records(10))
    create_function(endpoint, FUNCTION)
    client = endpoint.client("bedrock")
    arn = client.create_model_customization_job(**request("failing"))["jobArn"]
    ended = wait_for_job(client, arn)
    assert ended["status"] == "Failed"
    assert ended["failureMessage"] == "rft: the handler failed"


def test_a_job_by_version_or_alias_gets_that_version_s_code_and_settings(
    bedrock: Any, endpoint: Endpoint
) -> None:
    from bedrock_rft_sim.recipe import load_recipe

    name = "reward-in-versions"
    client = endpoint.client("lambda")
    create_function(endpoint, name, REWARD.replace('"graded"', '"first"'), Timeout=11)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    code = zipped(lambda_function=REWARD.replace('"graded"', '"second"'))
    client.update_function_code(FunctionName=name, ZipFile=code)
    client.update_function_configuration(FunctionName=name, Timeout=22)
    expected = {":1": ("first", 11), ":live": ("first", 11), "": ("second", 22)}
    for number, (qualifier, (word, timeout)) in enumerate(expected.items()):
        asked = rft_request(f"versions-{number}", bucket=BUCKET, function=name + qualifier)
        arn = bedrock.create_model_customization_job(**asked)["jobArn"]
        job_id = arn.rpartition("/")[2]
        recipe = load_recipe(endpoint.state.root / "recipes" / f"{job_id}.yaml")
        assert f'"{word}"' in (recipe.reward_path / "lambda_function.py").read_text()
        assert recipe.local.lambda_.timeout == timeout
        shown = bedrock.get_model_customization_job(jobIdentifier=arn)
        assert shown["customizationConfig"] == asked["customizationConfig"]


@pytest.mark.parametrize("qualifier", ["2", "dead"])
def test_a_job_by_a_version_or_alias_that_is_not_there_is_refused(
    bedrock: Any, endpoint: Endpoint, qualifier: str
) -> None:
    wrong = rft_request("bad", bucket=BUCKET, function=f"{FUNCTION}:{qualifier}")
    code, words = refused(bedrock.create_model_customization_job, **wrong)
    assert code == "ValidationException"
    assert f"{FUNCTION}:{qualifier}" in words


def test_a_mapping_that_no_job_could_run_with_is_refused_when_a_job_is_created(
    serve_root: Callable[..., Endpoint],
) -> None:
    stand_in = StandIn(overrides={"n_epochs": 1})
    endpoint = serve_root(mapping=ModelMapping(default=stand_in))
    put(endpoint, BUCKET, train=records(), validation=records(10))
    create_function(endpoint, FUNCTION)
    client = endpoint.client("bedrock")
    code, words = refused(client.create_model_customization_job, **request("bad"))
    assert code == "ValidationException"
    assert "n_epochs" in words
    assert client.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []


def test_listing_and_deleting_deployments_page_by_page_deletes_them_all(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root()
    for number in range(5):
        deployment = {"id": f"abcdefghijk{number}", "createdAt": 1.0 + number // 2, "tags": []}
        arn = f"arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijk{number}"
        deployment |= {"arn": arn, "modelDeploymentName": f"d{number}", "token": None}
        endpoint.state.deployments.put({**deployment, "modelArn": "a", "description": None})
    client = endpoint.client("bedrock")
    pages = client.get_paginator("list_custom_model_deployments")
    key = "modelDeploymentSummaries"
    for part in pages.paginate(PaginationConfig={"PageSize": 2}):
        for one in part[key]:
            arn = one["customModelDeploymentArn"]
            client.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert client.list_custom_model_deployments()[key] == []


def test_listing_and_deleting_functions_page_by_page_deletes_them_all(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root()
    for number in range(5):
        create_function(endpoint, f"f{number}")
    client = endpoint.client("lambda")
    pages = client.get_paginator("list_functions")
    for part in pages.paginate(PaginationConfig={"PageSize": 2}):
        for one in part["Functions"]:
            client.delete_function(FunctionName=one["FunctionName"])
    assert client.list_functions()["Functions"] == []
