import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.contract.knobs import hyperparameters
from bedrock_rft_sim.recipe.dialects import bedrock
from bedrock_rft_sim.recipe.dialects.service_model import input_shape

HYPER = "customizationConfig.rftConfig.hyperParameters"
RANGES = {
    "epochCount": st.integers(1, 50),
    "batchSize": st.integers(16, 512),
    "learningRate": st.floats(1e-7, 1e-3),
    "maxPromptLength": st.integers(1, 100_000),
    "trainingSamplePerPrompt": st.integers(2, 16),
    "inferenceMaxTokens": st.integers(1, 100_000),
    "reasoningEffort": st.sampled_from(["low", "medium", "high"]),
    "evalInterval": st.integers(1, 100),
}
# Out of Bedrock's range and yet something that can be trained with.
OUTSIDE = {
    "epochCount": st.integers(51, 10**9),
    "batchSize": st.integers(1, 15) | st.integers(513, 10**9),
    "learningRate": st.floats(1e-30, 0.99e-7) | st.floats(1.01e-3, 1e30),
    "trainingSamplePerPrompt": st.integers(17, 10**9),
    "evalInterval": st.integers(101, 10**9),
}


def only(refusals):
    assert len(refusals) == 1, [str(refusal) for refusal in refusals]
    return refusals[0]


def test_the_published_request_has_no_findings(nova):
    request = nova(
        batchSize=32,
        epochCount=1,
        evalInterval=10,
        inferenceMaxTokens=750,
        learningRate=5e-05,
        maxPromptLength=310,
        reasoningEffort="high",
        trainingSamplePerPrompt=4,
    )
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0:256k"
    request["baseModelIdentifier"] = arn
    request["validationDataConfig"] = {"validators": [{"s3Uri": "s3://my-bucket/val.jsonl"}]}
    assert bedrock.check(request) == []


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({}, optional=RANGES))
def test_every_set_of_hyperparameters_in_range_passes(nova, hyperparameters):
    assert bedrock.check(nova(**hyperparameters)) == []


@pytest.mark.parametrize("name", OUTSIDE)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_hyperparameter_out_of_range_is_exactly_one_refusal(nova, data, name):
    inside = data.draw(st.fixed_dictionaries({}, optional=RANGES))
    value = data.draw(OUTSIDE[name])
    refusal = only(bedrock.check(nova(**{**inside, name: value})))
    assert (refusal.path, refusal.value) == (f"{HYPER}.{name}", value)
    assert refusal.rehearsable
    assert refusal.problem in ("too small", "too large")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("batchSize", 15, "16 to 512"),
        ("batchSize", 513, "16 to 512"),
        ("learningRate", 9.9e-8, "1e-07 to 0.001"),
        ("learningRate", 0.0011, "1e-07 to 0.001"),
        ("trainingSamplePerPrompt", 17, "2 to 16"),
        ("epochCount", 51, "1 to 50"),
        ("evalInterval", 101, "1 to 100"),
    ],
)
def test_a_refusal_reads_like_botocore_s_messages(nova, name, value, rule):
    refusal = only(bedrock.check(nova(**{name: value})))
    assert str(refusal).startswith(f"{HYPER}.{name}, value: {value}, expected: {rule} (botocore")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batchSize", "16"),
        ("batchSize", 16.0),
        ("batchSize", True),
        ("batchSize", None),
        ("learningRate", "abc"),
        ("learningRate", float("nan")),
        ("learningRate", float("inf")),
        ("learningRate", 0),
        ("batchSize", 0),
        ("epochCount", -1),
        ("trainingSamplePerPrompt", 1),
        ("reasoningEffort", "none"),
    ],
)
def test_what_can_not_be_rehearsed_is_said_to_be_so(nova, name, value):
    refusals = [f for f in bedrock.check(nova(**{name: value})) if not f.rehearsable]
    assert [refusal.path for refusal in refusals] == [f"{HYPER}.{name}"]


@pytest.mark.parametrize(
    ("key", "value", "path", "problem"),
    [
        ("jobName", "-starts-with-a-dash", "jobName", "wrong form"),
        ("jobName", "a" * 64, "jobName", "too large"),
        ("customModelName", "two  spaces", "customModelName", "wrong form"),
        ("roleArn", "BedrockRFTRole", "roleArn", "wrong form"),
        ("outputDataConfig", {"s3Uri": "my-bucket/x"}, "outputDataConfig.s3Uri", "wrong form"),
        ("jobTags", [{"key": "", "value": "v"}], "jobTags.0.key", "too small"),
        (
            "vpcConfig",
            {"subnetIds": ["a"] * 17, "securityGroupIds": ["b"]},
            "vpcConfig.subnetIds",
            "too large",
        ),
        (
            "validationDataConfig",
            {"validators": [{"s3Uri": "s3://my-bucket/v"}] * 11},
            "validationDataConfig.validators",
            "too large",
        ),
    ],
)
def test_lengths_and_patterns_are_refusals_at_their_path(nova, key, value, path, problem):
    refusal = only(bedrock.check({**nova(), key: value}))
    assert (refusal.path, refusal.problem, refusal.rehearsable) == (path, problem, True)


@pytest.mark.parametrize(
    ("key", "value", "path", "problem"),
    [
        ("trainingDataConfig", {}, "trainingDataConfig", "not exactly one choice"),
        ("trainingDataConfig", "s3://x/y", "trainingDataConfig", "wrong type"),
        ("customizationConfig", {}, "customizationConfig", "not exactly one choice"),
        ("jobTags", [{"key": "k"}], "jobTags.0.value", "missing key"),
        ("jobTags", {"k": "v"}, "jobTags", "wrong type"),
        ("customizationType", "REINFORCEMENT", "customizationType", "unknown value"),
        ("customizationType", "DISTILLATION", "customizationType", "not reinforcement fine-tuning"),
    ],
)
def test_a_wrong_structure_can_not_be_rehearsed(nova, key, value, path, problem):
    refusal = only(bedrock.check({**nova(), key: value}))
    assert (refusal.path, refusal.problem, refusal.rehearsable) == (path, problem, False)


def test_stored_invocation_logs_may_stand_for_the_training_file(nova):
    source = {"invocationLogSource": {"s3Uri": "s3://my-bucket/logs/"}}
    filters = {"requestMetadataFilters": {"andAll": [{"equals": {"team": "maths"}}]}}
    config = {"invocationLogsConfig": {**source, **filters, "usePromptResponse": False}}
    assert bedrock.check({**nova(), "trainingDataConfig": config}) == []


def test_supervised_hyperparameters_are_a_refusal(nova):
    refusal = only(bedrock.check({**nova(), "hyperParameters": {"epochCount": "1"}}))
    assert refusal.path == "hyperParameters"
    assert refusal.rule.startswith(HYPER)


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        ("amazon.nova-lite-v1:0", "a model that RFT is documented for"),
        (
            "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-2-lite-v1:0:256k",
            "a Region where RFT is documented for it: us-east-1",
        ),
    ],
)
def test_models_and_regions_without_rft_are_refusals(nova, model, rule):
    refusal = only(bedrock.check({**nova(), "baseModelIdentifier": model}))
    assert refusal.path == "baseModelIdentifier"
    assert refusal.rule.startswith(rule)
    assert refusal.source == "AWS Bedrock user guide, rft-nova-models"


def test_a_reward_function_in_another_region_is_a_refusal(nova):
    request = nova()
    grader = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    grader["lambdaArn"] = grader["lambdaArn"].replace("us-east-1", "eu-west-1")
    refusal = only(bedrock.check(request))
    assert refusal.path == bedrock.LAMBDA_PATH
    assert "inferred" in refusal.source


def test_the_dialect_s_keys_are_those_of_the_service_model():
    assert set(input_shape("bedrock", "CreateModelCustomizationJob").members) == bedrock.KEYS


def test_the_hyperparameters_are_those_of_the_service_model():
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    rft = shape.members["customizationConfig"].members["rftConfig"]
    assert set(rft.members["hyperParameters"].members) == set(hyperparameters("bedrock"))


def test_a_job_name_of_dashes_is_judged_at_once(nova):
    # botocore's pattern for it takes exponential time on such a name.
    refusal = only(bedrock.check({**nova(), "jobName": "a" + "-" * 60 + "!"}))
    assert refusal.problem == "wrong form"


@settings(max_examples=50, deadline=None)
@given(
    data=st.fixed_dictionaries(
        {},
        optional={
            name: st.integers(-5, 600) | st.floats(-1, 1) | st.text(max_size=3) | st.booleans()
            for name in RANGES
        },
    )
)
def test_whatever_botocore_refuses_is_found_here_too(nova, data):
    request = nova(**data)
    report = ParamValidator().validate(
        request, input_shape("bedrock", "CreateModelCustomizationJob")
    )
    assert not report.has_errors() or bedrock.check(request), report.generate_report()
