import pytest

from bedrock_rft_sim.contract.limits import OPEN_WEIGHT_RFT_MODELS
from bedrock_rft_sim.recipe.dialects import openai

HYPER = "method.reinforcement.hyperparameters"


def only(refusals):
    assert len(refusals) == 1, [str(refusal) for refusal in refusals]
    return refusals[0]


@pytest.mark.parametrize("model", OPEN_WEIGHT_RFT_MODELS)
def test_the_published_request_has_no_findings(open_weight, model):
    request = open_weight(n_epochs=1, batch_size=4, learning_rate_multiplier=1.0)
    assert openai.check({**request, "model": model}) == []


def test_hyperparameters_may_be_left_out(open_weight):
    request = open_weight()
    del request["method"]["reinforcement"]["hyperparameters"]
    assert openai.check(request) == []
    assert openai.hyperparameters(request) == {}


def test_a_suffix_is_refused_by_name(open_weight):
    refusal = only(openai.check({**open_weight(), "suffix": "mine"}))
    assert (refusal.path, refusal.rehearsable) == ("suffix", True)
    assert "unsupported" in refusal.rule


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validation_file", "file-def456"),
        ("seed", 7),
        ("metadata", {"team": "maths"}),
        ("integrations", []),
        ("hyperparameters", {"n_epochs": 1}),
    ],
)
def test_keys_of_openai_s_schema_alone_are_refusals(open_weight, key, value):
    refusal = only(openai.check({**open_weight(), key: value}))
    assert (refusal.path, refusal.problem) == (key, "not documented for Bedrock")
    assert refusal.rehearsable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eval_interval", 5),
        ("eval_samples", 1),
        ("compute_multiplier", 1.5),
        ("reasoning_effort", "low"),
        ("n_epochs", "auto"),
        ("batch_size", "auto"),
        ("learning_rate_multiplier", "auto"),
    ],
)
def test_hyperparameters_of_openai_s_schema_alone_are_refusals(open_weight, name, value):
    refusal = only(openai.check(open_weight(**{name: value})))
    assert refusal.path == f"{HYPER}.{name}"
    assert refusal.rehearsable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_epochs", 0),
        ("n_epochs", 1.0),
        ("n_epochs", "one"),
        ("batch_size", -4),
        ("batch_size", True),
        ("learning_rate_multiplier", 0),
        ("learning_rate_multiplier", float("inf")),
        ("learning_rate_multiplier", "1.0"),
        ("learning_rate", 1e-5),
        ("reasoning_effort", "hihg"),
    ],
)
def test_what_can_not_be_rehearsed_is_said_to_be_so(open_weight, name, value):
    refusals = [f for f in openai.check(open_weight(**{name: value})) if not f.rehearsable]
    assert [refusal.path for refusal in refusals] == [f"{HYPER}.{name}"]


@pytest.mark.parametrize("key", ["model", "training_file", "method"])
def test_a_missing_key_is_named(open_weight, key):
    request = open_weight()
    del request[key]
    refusal = only(openai.check(request))
    assert (refusal.path, refusal.problem) == (key, "missing key")


@pytest.mark.parametrize(
    ("path", "value"), [("method.type", "supervised"), ("grader.type", "python")]
)
def test_other_methods_and_graders_can_not_be_rehearsed(open_weight, path, value):
    request = open_weight()
    holder, key = path.split(".")
    target = request[holder] if holder == "method" else request["method"]["reinforcement"][holder]
    target[key] = value
    refusal = only(openai.check(request))
    assert (refusal.problem, refusal.rehearsable) == ("unknown value", False)


@pytest.mark.parametrize(
    ("arn", "problem"),
    [
        ("my-reward-function", "wrong form"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:reward",
            "reward function in another Region",
        ),
        ("arn:aws:lambda:us-west-2:123456789012:function:" + "a" * 512, "too large"),
    ],
)
def test_an_unusable_function_is_a_refusal(open_weight, arn, problem):
    request = open_weight()
    request["method"]["reinforcement"]["grader"]["lambda"]["function"] = arn
    refusal = only(openai.check(request))
    assert (refusal.path, refusal.problem) == (openai.LAMBDA_PATH, problem)
    assert refusal.rehearsable


def test_a_model_without_rft_is_a_refusal_with_the_nearest(open_weight):
    refusal = only(openai.check({**open_weight(), "model": "openai.gpt-oss-120b"}))
    assert (refusal.path, refusal.rehearsable) == ("model", True)
    assert refusal.hint == "did you mean openai.gpt-oss-20b?"


def test_the_learning_rate_is_the_multiplier_times_an_assumed_base():
    rate, origin = openai.translate({"learning_rate_multiplier": 2.0}, {})["learning_rate"]
    assert rate == 2e-5
    assert origin.origin == "assumed"
    assert "not known" in origin.source


def test_an_overridden_rate_is_still_scaled_by_the_multiplier():
    translated = openai.translate({"learning_rate_multiplier": 0.5}, {"learningRate": 1e-3})
    rate, origin = translated["learning_rate"]
    assert (rate, origin.origin) == (5e-4, "override")
