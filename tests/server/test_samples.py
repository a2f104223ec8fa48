"""AWS's published flows, from role to clean-up, by their own calls: only variables name us.

Written anew from the calls of aws-samples/amazon-bedrock-samples (the notebooks for Nova, gpt-oss
and tool calling under bedrock-reinforcement-fine-tuning) and of aws/nova-forge-sdk (its preflight,
its Lambda verifier, its Bedrock runtime manager and its deployments).
The training is a stub that leaves the embedded model behind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from openai import OpenAI

from bedrock_rft_sim.cli.serve import exports
from tests.server.aws_setup import records, zipped
from tests.server.conftest import Endpoint, serve
from tests.server.lambda_.test_lambda import layer_zip
from tests.server.mantle import conftest as mantle
from tests.server.runtime.conftest import stub_command
from tests.server.shared_models import shared_models

PENDING_S = 0.3
LOOK_S = 0.05
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
NOVA = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0:256k"
REWARD = """
import marks
def lambda_handler(event, context):
    return [
        {
            "id": one["id"],
            "aggregate_reward_score": marks.score(one),
            "metrics_list": [{"name": "accuracy", "value": marks.score(one), "type": "Reward"}],
        }
        for one in event
    ]
"""
MARKS = """
def score(sample):
    reference = sample.get("reference_answer") or {}
    wanted = reference if isinstance(reference, str) else str(reference.get("final_answer"))
    return float(sample["messages"][-1]["content"].endswith(wanted))
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with ExitStack() as stack:
        root = tmp_path_factory.mktemp("samples") / "root"
        endpoint = serve(stack, root, start=stub_command, pending_s=PENDING_S)
        endpoint.state.models = shared_models()
        yield endpoint


@pytest.fixture(autouse=True)
def _variables(samples: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what `rft serve` prints, and nothing else."""
    for name, value in exports(samples.url, region="us-east-1").items():
        monkeypatch.setenv(name, value)


def trusting(service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role_of(session: Any, name: str, service: str) -> str:
    """Create a role as the samples' helper does, or take the one that is there."""
    iam = session.client("iam")
    try:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(service))
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName=name)
    arn: str = role["Role"]["Arn"]
    return arn


def function_of(session: Any, name: str, role: str, **options: Any) -> str:
    """Create the function or update its code, wait, and return its ARN."""
    client = session.client("lambda")
    code = zipped(lambda_function=REWARD, marks=MARKS)
    try:
        client.get_function(FunctionName=name)
        client.update_function_code(FunctionName=name, ZipFile=code)
        waiter = client.get_waiter("function_updated_v2")
        waiter.wait(FunctionName=name, WaiterConfig={"Delay": LOOK_S})
    except client.exceptions.ResourceNotFoundException:
        client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": code},
            Timeout=300,
            MemorySize=512,
            **options,
        )
    waiter = client.get_waiter("function_active_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": LOOK_S})
    arn: str = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    return arn


def polled(look: Callable[[], Any], *, while_in: tuple[str, ...]) -> Any:
    """Look again as a notebook's cell does, until the status is another."""
    deadline = time.monotonic() + 30
    while (found := look())["status"] in while_in:
        assert time.monotonic() < deadline, found
        time.sleep(LOOK_S)
    return found


def graded(session: Any, name: str, answer: str, reference: Any) -> float:
    turns = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": answer}]
    sample = {"id": "test_001", "messages": turns, "reference_answer": reference}
    response = session.client("lambda").invoke(
        FunctionName=name, InvocationType="RequestResponse", Payload=json.dumps([sample])
    )
    score: float = json.loads(response["Payload"].read())[0]["aggregate_reward_score"]
    return score


def deleted_role(iam: Any, name: str) -> None:
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    iam.delete_role(RoleName=name)


def job_of(session: Any, *, name: str, role: str, function: str, bucket: str) -> dict[str, Any]:
    """Create a job as the FinQA notebook does, and wait for its end."""
    bedrock = session.client("bedrock")
    bedrock.create_model_customization_job(
        jobName=name,
        customModelName=f"{name}-model",
        roleArn=role,
        baseModelIdentifier=NOVA,
        customizationType="REINFORCEMENT_FINE_TUNING",
        trainingDataConfig={"s3Uri": f"s3://{bucket}/rft-data/train.jsonl"},
        validationDataConfig={"validators": [{"s3Uri": f"s3://{bucket}/rft-data/val.jsonl"}]},
        outputDataConfig={"s3Uri": f"s3://{bucket}/rft-output/"},
        customizationConfig={
            "rftConfig": {
                "graderConfig": {"lambdaGrader": {"lambdaArn": function}},
                "hyperParameters": {
                    "batchSize": 32,
                    "epochCount": 1,
                    "evalInterval": 5,
                    "inferenceMaxTokens": 1000,
                    "learningRate": 0.00005,
                    "maxPromptLength": 4000,
                    "reasoningEffort": "high",
                    "trainingSamplePerPrompt": 4,
                },
            }
        },
    )
    done: dict[str, Any] = polled(
        lambda: bedrock.get_model_customization_job(jobIdentifier=name), while_in=("InProgress",)
    )
    assert done["status"] == "Completed", done.get("failureMessage")
    return done


def deployed(session: Any, model: str, name: str) -> str:
    bedrock = session.client("bedrock")
    arn: str = bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model)[
        "customModelDeploymentArn"
    ]

    def look() -> Any:
        return bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)

    assert look()["status"] == "Creating"
    assert polled(look, while_in=("Creating",))["status"] == "Active"
    return arn


def uploaded(session: Any, bucket: str, folder: Path) -> None:
    s3 = session.client("s3")
    s3.create_bucket(Bucket=bucket)
    for name, count in (("train.jsonl", 100), ("val.jsonl", 10)):
        (folder / name).write_bytes(records(count))
        s3.upload_file(str(folder / name), bucket, f"rft-data/{name}")


def test_the_nova_notebooks_run_from_role_to_clean_up(tmp_path: Path) -> None:
    session = boto3.Session(region_name="us-east-1")
    account = session.client("sts").get_caller_identity()["Account"]
    iam, bedrock = session.client("iam"), session.client("bedrock")
    uploaded(session, "nova-notebook", tmp_path)
    lambda_role = role_of(session, "FINQA-Lambda-Role", "lambda")
    iam.attach_role_policy(RoleName="FINQA-Lambda-Role", PolicyArn=BASIC)
    for _ in range(2):  # the cell may be run again
        function = function_of(session, "finqa-reward-function", lambda_role)
    assert function.split(":")[4] == account
    role = role_of(session, "BedrockRFTRole", "bedrock")
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="BedrockRFTRole", PolicyName="P", PolicyDocument=document)
    assert graded(session, "finqa-reward-function", "ANSWER: 4", {"final_answer": "4"}) == 1.0
    job = job_of(session, name="finqa", role=role, function=function, bucket="nova-notebook")
    deployment = deployed(session, job["outputModelArn"], "finqa")
    answer = session.client("bedrock-runtime").converse(
        modelId=deployment,
        messages=[{"role": "user", "content": [{"text": "What is 2 + 2?"}]}],
        inferenceConfig={"maxTokens": 16, "temperature": 0.0},
    )
    assert answer["output"]["message"]["role"] == "assistant"
    lines = session.client("logs").filter_log_events(
        logGroupName="/aws/lambda/finqa-reward-function", filterPattern="REPORT"
    )["events"]
    assert len(lines) == 1
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=deployment)
    bedrock.delete_custom_model(modelIdentifier=job["outputModelArn"])
    session.client("lambda").delete_function(FunctionName="finqa-reward-function")
    for name in ("FINQA-Lambda-Role", "BedrockRFTRole"):
        deleted_role(iam, name)
    bucket = session.resource("s3").Bucket("nova-notebook")
    bucket.objects.all().delete()
    bucket.delete()


def test_the_open_weight_notebooks_run_from_layer_to_clean_up(tmp_path: Path) -> None:
    session = boto3.Session(region_name="us-west-2")
    lambda_client = session.client("lambda")
    layer = lambda_client.publish_layer_version(
        LayerName="marks",
        Content={"ZipFile": layer_zip(python__marks=MARKS)},
        CompatibleRuntimes=["python3.11"],
    )["LayerVersionArn"]
    role = role_of(session, "BFCL-Lambda-Role", "lambda")
    session.client("iam").attach_role_policy(RoleName="BFCL-Lambda-Role", PolicyArn=BASIC)
    function = function_of(session, "bfcl-reward", role, Layers=[layer])
    assert graded(session, "bfcl-reward", "it is 4", "4") == 1.0
    (tmp_path / "train.jsonl").write_bytes(mantle.records(100))
    method = mantle.method()
    method["reinforcement"]["grader"]["lambda"]["function"] = function
    with OpenAI() as client:
        with (tmp_path / "train.jsonl").open("rb") as file:
            training = client.files.create(file=file, purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="qwen.qwen3-32b-v1:0",
            training_file=training.id,
            extra_body={"method": method},
        )
        assert job.status == "validating_files"

        def look() -> dict[str, Any]:
            found = client.fine_tuning.jobs.retrieve(job.id)
            return {"status": found.status, "error": found.error, "model": found.fine_tuned_model}

        done = polled(look, while_in=("validating_files", "queued", "running"))
        assert done["status"] == "succeeded", done["error"]
        events = list(client.fine_tuning.jobs.list_events(job.id, limit=100))
        assert any(event.type == "metrics" for event in events)
        assert client.fine_tuning.jobs.checkpoints.list(job.id).data
        chat = client.chat.completions.create(
            model=done["model"],
            messages=[{"role": "user", "content": "What is 2 + 2?"}],
            max_completion_tokens=16,
        )
        assert chat.choices[0].message.content is not None
        assert client.files.delete(training.id).deleted
    lambda_client.delete_function(FunctionName="bfcl-reward")
    lambda_client.delete_layer_version(LayerName="marks", VersionNumber=1)
    deleted_role(session.client("iam"), "BFCL-Lambda-Role")


def preflight(session: Any, actions: list[str], execution_role: str) -> list[str]:
    """Return what the Forge SDK's validator would complain of."""
    iam, identity = session.client("iam"), session.client("sts").get_caller_identity()
    caller = identity["Arn"]
    if ":assumed-role/" in caller:
        caller = f"arn:aws:iam::{identity['Account']}:role/{caller.split('/')[1]}"
    iam.simulate_principal_policy(PolicySourceArn=caller, ActionNames=[], ResourceArns=["*"])
    missing = []
    for action in actions:
        result = iam.simulate_principal_policy(
            PolicySourceArn=caller, ActionNames=[action], ResourceArns=["*"]
        )["EvaluationResults"]
        if result and result[0]["EvalDecision"] != "allowed":
            missing.append(action)
    documents = []
    name = caller.split("/")[-1]
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=name, PolicyName=inline)
        documents.append(found["PolicyDocument"])
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    allowed = [one for document in documents for one in document["Statement"]]
    if not any(one["Effect"] == "Allow" and one["Action"] == "*" for one in allowed):
        missing.append("iam:PassRole")
    trust = iam.get_role(RoleName=execution_role)["Role"]["AssumeRolePolicyDocument"]
    services = [one["Principal"]["Service"] for one in trust["Statement"]]
    return missing + ([] if "bedrock.amazonaws.com" in services else ["trust"])


def test_the_forge_sdk_checks_trains_deploys_and_invokes(tmp_path: Path) -> None:
    session = boto3.Session(region_name="us-east-1")
    uploaded(session, "forge-sdk", tmp_path)
    role = role_of(session, "ForgeRole", "bedrock")
    actions = [f"bedrock:{verb}ModelCustomizationJob" for verb in ("Create", "Stop", "Get")] + [
        "s3:GetObject",
        "s3:PutObject",
    ]
    assert preflight(session, actions, "ForgeRole") == []
    function = function_of(session, "forge-reward", role)
    rows = session.client("s3").get_object(Bucket="forge-sdk", Key="rft-data/train.jsonl")["Body"]
    samples = [json.loads(line) for line in rows.iter_lines()][:10]
    reply = session.client("lambda").invoke(FunctionName=function, Payload=json.dumps(samples))
    for one in json.loads(reply["Payload"].read()):
        assert set(one) >= {"id", "aggregate_reward_score", "metrics_list"}
        assert isinstance(one["aggregate_reward_score"], float)
    job = job_of(session, name="forge", role=role, function=function, bucket="forge-sdk")
    custom = session.client("bedrock").get_custom_model(modelIdentifier=job["outputModelArn"])
    assert custom["modelStatus"].upper() == "ACTIVE"
    deployment = deployed(session, job["outputModelArn"], "forge")
    body = {
        "messages": [{"role": "user", "content": [{"text": "What is 2 + 2?"}]}],
        "inferenceConfig": {"maxTokens": 16, "temperature": 0, "topP": 1.0},
    }
    answer = session.client("bedrock-runtime").invoke_model(
        modelId=deployment, body=json.dumps(body)
    )
    assert json.loads(answer["body"].read())["output"]["message"]["content"]
