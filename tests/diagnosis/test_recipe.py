"""The published starting points against recipes whose standing is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.diagnosis import Finding
from bedrock_rft_sim.diagnosis.recipe import diagnose_recipe, point_as_json
from bedrock_rft_sim.estimate import Measured
from bedrock_rft_sim.recipe import Recipe, load_recipe

KNOBS = "customizationConfig.rftConfig.hyperParameters"


@pytest.fixture
def quickstart() -> Callable[..., Recipe]:
    def make(**knobs: object) -> Recipe:
        return load_recipe("quickstart", sets=[f"{KNOBS}.{k}={v}" for k, v in knobs.items()])

    return make


def data_of(recipe: Recipe) -> Data:
    return plan.read_data(recipe, load_tokenizer(recipe.model))


def about(found: tuple[Finding, ...], knob: str) -> Finding:
    return next(finding for finding in reversed(found) if finding.rule == knob)


@pytest.mark.parametrize(
    ("knob", "value", "follows"),
    [
        ("epochCount", 1, True),
        ("epochCount", 3, False),
        ("epochCount", 6, True),
        ("epochCount", 20, False),
        ("batchSize", 128, True),
        ("batchSize", 16, True),
        ("batchSize", 256, False),
        ("learningRate", 1e-4, True),
        ("learningRate", 1e-5, False),
        ("learningRate", 1e-3, False),
        ("trainingSamplePerPrompt", 4, True),
        ("trainingSamplePerPrompt", 2, False),
        ("trainingSamplePerPrompt", 16, False),
        ("maxPromptLength", 512, True),
        ("maxPromptLength", 79, True),
        ("maxPromptLength", 70, False),
        ("evalInterval", 10, True),
        ("evalInterval", 40, False),
    ],
)
def test_each_knob_is_held_against_its_starting_point(quickstart, knob, value, follows) -> None:
    recipe = quickstart(**{knob: value})
    finding = about(diagnose_recipe(recipe, data_of(recipe)), knob)
    assert point_as_json(finding)["follows"] is follows, finding
    assert finding.says == f"{value:g}"
    assert finding.source


def test_a_larger_batch_is_advised_where_the_loss_is_erratic(quickstart) -> None:
    recipe = quickstart()
    advice = about(diagnose_recipe(recipe, data_of(recipe)), "batchSize").remedy
    assert "more if the loss is erratic" in advice
    assert "less if iterations take too long" in advice


def test_early_stopping_is_told_with_what_aws_says_on_both_sides(quickstart) -> None:
    recipe = quickstart()
    finding = about(diagnose_recipe(recipe, data_of(recipe)), "local.earlyStopping")
    assert (finding.severity, finding.says) == ("note", "off")
    assert "no such field" in finding.remedy


def test_larger_data_takes_fewer_epochs(quickstart) -> None:
    recipe = quickstart(epochCount=4)
    data = data_of(recipe)
    assert about(diagnose_recipe(recipe, data), "epochCount").severity == "warning"
    many = replace(data, records=5000)
    assert about(diagnose_recipe(recipe, many), "epochCount").severity == "clear"


def test_what_this_machine_overrides_is_not_judged(quickstart) -> None:
    plain = quickstart()
    small = load_recipe("quickstart", sets=["local.overrides.batchSize=4"])
    data = data_of(plain)
    assert diagnose_recipe(small, data) == diagnose_recipe(plain, data)


def test_the_open_weight_path_is_named_by_its_own_names() -> None:
    recipe = load_recipe("gsm8k-open-weight")
    found = diagnose_recipe(recipe, data_of(recipe))
    knobs = [finding.rule for finding in found]
    assert {"n_epochs", "batch_size", "learning_rate_multiplier", "eval_interval"} <= set(knobs)
    assert "assumed" in about(found, "trainingSamplePerPrompt").says


@pytest.mark.parametrize(
    ("batch", "follows"), [(2, False), (4, True), (16, True), (128, True), (256, False)]
)
def test_open_weights_start_from_aws_s_own_batch_of_four(batch: int, follows: bool) -> None:
    knob = "method.reinforcement.hyperparameters.batch_size"
    recipe = load_recipe("gsm8k-open-weight", sets=[f"{knob}={batch}"])
    finding = about(diagnose_recipe(recipe, data_of(recipe)), "batch_size")
    assert point_as_json(finding)["follows"] is follows, finding
    assert "fine-tuning-openai-job-create" in finding.source


def test_training_all_weights_is_told_apart_from_bedrock_s_lora(quickstart) -> None:
    recipe = quickstart()
    assert (
        about(diagnose_recipe(recipe, data_of(recipe)), "local.training.method").severity == "note"
    )


def test_a_probe_says_what_it_saw_of_groups_and_lengths(quickstart) -> None:
    recipe = quickstart(trainingSamplePerPrompt=4, inferenceMaxTokens=96)
    seen = Measured(
        source="probe p.json of m",
        model="m",
        limit=96,
        response_tokens=None,
        cut_share=0.02,
        answer_tokens_p99=50,
        mixed_groups={4: 0.4, 8: 0.6},
    )
    found = diagnose_recipe(recipe, data_of(recipe), seen)
    groups = about(found, "trainingSamplePerPrompt").seen
    assert groups == "probe p.json of m: 40 % of groups of 4 are mixed, of 8 it would be 60 %"
    lengths = about(found, "inferenceMaxTokens")
    assert lengths.severity == "warning"
    assert "3 x 50 = 150" in lengths.remedy
    assert lengths.seen is not None
    assert "2.0 % of the answers were cut at 96" in lengths.seen


@pytest.mark.parametrize(
    ("validation", "epochs", "rate"),
    [
        ((0.2, 0.4, 0.6), "still climbed", "went from 0.200 to 0.600"),
        ((0.2, 0.6, 0.5), "was best with 0.600 after step 10", "went from 0.200 to 0.500"),
        ((0.5, 0.6, 0.1), "unlikely to help", "a lower rate may prevent"),
    ],
)
def test_a_run_says_how_validation_went(quickstart, validation, epochs, rate) -> None:
    recipe = quickstart()
    points = tuple((10 * place, reward) for place, reward in enumerate(validation))
    found = diagnose_recipe(
        recipe, data_of(recipe), Measured("run r, 3 steps", "m", 96, None, None, validation=points)
    )
    assert epochs in str(about(found, "epochCount").seen)
    assert rate in str(about(found, "learningRate").seen)


@pytest.mark.parametrize(("seconds", "warned"), [(900, False), (901, True), (1800, True)])
def test_a_timeout_that_only_the_service_model_allows_is_a_dated_warning(
    seconds: int, warned: bool
) -> None:
    recipe = load_recipe("quickstart", sets=[f"local.lambda.timeout={seconds}"])
    found = [each for each in diagnose_recipe(recipe, data_of(recipe)) if "timeout" in each.rule]
    assert [each.severity for each in found] == (["warning"] if warned else [])
    assert all("2026-11-26" in each.remedy for each in found)
