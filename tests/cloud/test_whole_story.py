"""A recipe to a job and back, over HTTP, against the local endpoint."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cloud.account import open_aws
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission
from bedrock_rft_sim.errors import CloudError
from bedrock_rft_sim.jobs import rehearsal_command
from bedrock_rft_sim.server.mapping import ModelMapping, StandIn
from tests.cloud.submissions import submission
from tests.server.aws_setup import create_function
from tests.server.conftest import Endpoint, serve_root  # noqa: F401 - a fixture
from tests.server.shared_models import shared_models

SETS = ("local.trainingData=problems:100", "local.validationData=problems:8")
RECIPE = ["quickstart", *(part for each in SETS for part in ("--set", each))]
FEW = ("--rows", "2")
BUCKET = "my-bucket"


def keys(endpoint: Endpoint) -> list[str]:
    found = endpoint.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [each["Key"] for each in found]


@pytest.fixture
def cloud(
    serve_root: Callable[..., Endpoint],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Endpoint]:
    """Return a function that serves an account with a bucket, which boto3 finds by itself."""

    def serve(**options: Any) -> Endpoint:
        endpoint = serve_root(**options)
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_ACCESS_KEY_ID": "not-a-real-key",
            "AWS_SECRET_ACCESS_KEY": "not-a-real-secret",
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "OPENAI_BASE_URL": f"{endpoint.url}/v1",
            "OPENAI_API_KEY": "not-a-real-key",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        s3 = endpoint.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key in keys(endpoint):  # moto keeps those of other tests
            s3.delete_object(Bucket=BUCKET, Key=key)
        return endpoint

    return serve


def rft(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a verb that must succeed and return its JSON."""
    code = main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out)


def submit(capsys: pytest.CaptureFixture[str]) -> str:
    found = rft(capsys, "submit", *RECIPE, "--create-role", "--yes", *FEW)
    return str(found["job_arn"])


def test_a_job_is_submitted_pulled_deployed_and_cleaned(
    cloud: Callable[..., Endpoint], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    endpoint = cloud()
    arn = submit(capsys)
    bedrock = endpoint.client("bedrock")
    assert len(bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]) == 1
    pulled = rft(capsys, "pull", "quickstart", "--watch", "--every", "1")
    assert pulled["status"] == "Completed"
    assert pulled["last_step"] == 3
    again = rft(capsys, "pull", arn)
    assert again == pulled
    deployed = rft(capsys, "deploy", "quickstart")
    assert rft(capsys, "deploy", "quickstart") == deployed
    cleaned = rft(capsys, "clean", "quickstart", "--yes", "--keep", "object")
    assert [kind for kind, _ in cleaned["deleted"]] == [
        "deployment",
        "model",
        "function",
        "role",
        "role",
    ]
    assert [kind for kind, _ in cleaned["left"]] == ["object", "object"]
    assert bedrock.list_custom_model_deployments()["modelDeploymentSummaries"] == []
    assert endpoint.client("lambda").list_functions()["Functions"] == []
    assert rft(capsys, "clean", "quickstart", "--yes")["left"] == []
    record = (tmp_path / "cloud" / "quickstart" / "cloud.json").read_text()
    assert "not-a-real" not in record


def test_a_variable_that_only_the_deployed_grader_has_stops_the_submission(
    cloud: Callable[..., Endpoint], tmp_path: Path
) -> None:
    endpoint, prepared, record = cloud(), submission(), CloudRecord(tmp_path / "job")
    wishes, name = Wishes(create_role=True), prepared.function.name
    flexible = {"Variables": {"GSM8K_METHOD": "flexible"}}
    create_function(endpoint, name, Environment=flexible)
    aws = open_aws(prepared.function.region)
    assert plan_submission(aws, prepared, record, wishes).blockers == ()
    with pytest.raises(CloudError, match="grades otherwise than the local one") as error:
        perform(aws, prepared, record, wishes)
    boxed = prepared.cases[0].samples[1].id
    assert f"metadata profile, sample {boxed!r}" in str(error.value)
    assert keys(endpoint) == []
    jobs = endpoint.client("bedrock").list_model_customization_jobs
    assert jobs()["modelCustomizationJobSummaries"] == []
    strict = {"Variables": {"GSM8K_METHOD": "strict"}}
    functions = endpoint.client("lambda")
    functions.update_function_configuration(FunctionName=name, Environment=strict)
    perform(aws, prepared, record, wishes)
    assert len(jobs()["modelCustomizationJobSummaries"]) == 1
    deployed = functions.get_function_configuration(FunctionName=name)
    assert (deployed["Environment"], deployed["Runtime"]) == (strict, prepared.settings.runtime)


@pytest.mark.slow
def test_a_real_training_is_compared_with_the_rehearsal_and_its_model_answers(
    cloud: Callable[..., Endpoint], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = {"batchSize": 4, "evalInterval": 2, "inferenceMaxTokens": 32}
    short = StandIn(maxSteps=2, overrides=few, device="cpu")
    endpoint = cloud(start=rehearsal_command, mapping=ModelMapping(default=short))
    endpoint.state.models = shared_models()
    submit(capsys)
    assert rft(capsys, "pull", "quickstart", "--watch", "--every", "1")["last_step"] == 2
    job = str(tmp_path / "cloud" / "quickstart")
    # What trained behind the endpoint is the rehearsal.
    (rehearsal,) = (each.folder for each in endpoint.state.jobs.list("bedrock"))
    compared = main(["compare", str(rehearsal), "--bedrock", job, "--out", "overlay", "--json"])
    assert compared in (0, 1)
    assert "critic_rewards_mean" in capsys.readouterr().out
    page = next(Path("overlay").glob("*.html")).read_text()
    assert "Bedrock quickstart" in page
    assert "on Lambda" in page
    assert "Estimated before, and seen" in page
    rft(capsys, "report", job)
    report = Path(job, "report.html").read_text()
    assert "job on Bedrock" in report
    assert "How this differs from Bedrock" not in report
    command = rft(capsys, "deploy", "quickstart")["converse"]
    assert ask(endpoint, command)
    assert rft(capsys, "clean", "quickstart", "--yes")["left"] == []


@pytest.mark.slow
def test_open_weights_go_the_same_way(
    cloud: Callable[..., Endpoint], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    short = StandIn(maxSteps=3, overrides={"inferenceMaxTokens": 32}, device="cpu")
    endpoint = cloud(start=rehearsal_command, mapping=ModelMapping(default=short))
    endpoint.state.models = shared_models()
    recipe = ["gsm8k-open-weight", "--set", "local.trainingData=problems:100", *FEW]
    job = rft(capsys, "submit", *recipe, "--create-role", "--yes")["job_arn"]
    pulled = rft(capsys, "pull", "gsm8k-open-weight", "--watch", "--every", "1")
    assert (pulled["status"], pulled["last_step"]) == ("Completed", 3)
    assert pulled["grader"]["invocations"] > 0
    assert rft(capsys, "pull", job, "--out", "by-id")["last_step"] == 3
    folder = str(tmp_path / "cloud" / "gsm8k-open-weight")
    rft(capsys, "report", folder)
    assert main(["compare", folder, "--bedrock", f"by-id/{job}", "--json"]) in (0, 1)
    capsys.readouterr()
    assert rft(capsys, "deploy", "gsm8k-open-weight")["model"].startswith("ft:openai.gpt-oss-20b")
    assert rft(capsys, "clean", "gsm8k-open-weight", "--yes")["left"] == []


def ask(endpoint: Endpoint, command: str) -> str:
    """Ask what a pasted `aws bedrock-runtime converse` asks."""
    words = shlex.split(command)
    named = dict(zip(words[3::2], words[4::2], strict=True))
    answer = endpoint.client("bedrock-runtime").converse(
        modelId=named["--model-id"], messages=json.loads(named["--messages"])
    )
    return str(answer["output"]["message"]["content"][0]["text"])
