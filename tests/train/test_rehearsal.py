"""Whole rehearsals: learning, the published run, real GSM8K, other architectures."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.recipe import Recipe, load_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.observer import Stage
from bedrock_rft_sim.train.run import RunResult, rehearse

LEARNING_STEPS = 16


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.slow
def test_training_beats_chance_by_a_margin(run: Callable[..., RunResult]) -> None:
    """Validation is greedy on fixed problems, so without training it would not move at all."""
    few = [
        f"local.maxSteps={LEARNING_STEPS}",
        "local.overrides.batchSize=4",
        f"local.overrides.evalInterval={LEARNING_STEPS}",
        "local.device=cpu",
    ]
    result = run(load_recipe("quickstart", sets=few))
    gained = result.last["validation_rewards_mean"] - result.first["validation_rewards_mean"]
    assert gained > 0.15
    rewards = [
        line["critic_rewards_mean"]
        for line in RunFolder.open(result.folder).read_metrics()
        if line["step"] > 0
    ]
    assert mean(rewards[-5:]) - mean(rewards[:5]) > 0.05
    assert result.status == "Completed"
    assert result.signal.severity == "clear"


@pytest.mark.slow
def test_the_published_run_comes_out_with_its_steps_checkpoints_and_events(
    run: Callable[..., RunResult],
) -> None:
    short = [
        "local.overrides.inferenceMaxTokens=12",
        "local.overrides.evalInterval=50",
    ]
    recipe = load_recipe("gsm8k-open-weight", sets=short)
    folder = RunFolder.open(run(recipe).folder)
    assert folder.checkpoint_steps() == [20, 40, 60, 67]
    lines = folder.read_metrics()
    assert [line["step"] for line in lines] == list(range(68))
    events = [event for event in folder.read_events() if event["type"] == "metrics"]
    fourth = events[3]
    assert fourth["message"] == "Step 4/67: training metrics"
    assert fourth["object"] == "fine_tuning.job.event"
    assert fourth["level"] == "info"
    assert fourth["id"].startswith("ftevent-")
    assert set(fourth["data"]) == {
        "step",
        "total_steps",
        "critic_rewards_mean",
        "actor_pg_loss",
        "actor_entropy",
        "actor_grad_norm",
        "critic_advantages_mean",
        "response_length_mean",
    }
    assert all((line["critic_rewards_mean"] * 32).is_integer() for line in lines[1:])


@pytest.mark.slow
def test_real_gsm8k_is_too_hard_for_the_embedded_model_and_the_run_says_so(
    run: Callable[..., RunResult], gsm8k_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "gsm8k.jsonl"
    with (gsm8k_folder / "train.jsonl").open() as source, data.open("w") as target:
        for line in itertools.islice(source, 300):
            problem = json.loads(line)
            prompt = f'{problem["question"]} Give the final answer after "####".'
            record = {
                "messages": [{"role": "user", "content": prompt}],
                "reference_answer": problem["answer"],
            }
            target.write(json.dumps(record) + "\n")
    recipe = load_recipe(
        "gsm8k-open-weight",
        sets=[
            f"local.trainingData={data}",
            "local.overrides.maxPromptLength=400",
            "local.overrides.inferenceMaxTokens=48",
            "local.overrides.evalInterval=50",
            "local.maxSteps=6",
        ],
    )
    result = run(recipe)
    assert result.status == "Completed"
    assert result.last["critic_rewards_mean"] < 0.1
    assert result.signal.severity != "clear"
    assert "learning signal" in result.signal.words
    assert "every advantage was 0" in result.signal.words


@pytest.mark.parametrize(("architecture", "method"), [("qwen2", "full"), ("llama", "lora")])
def test_models_of_other_architectures_are_trained(
    architecture: str,
    method: str,
    recipe_for: Callable[..., Recipe],
    small_model: Callable[..., Path],
    run: Callable[..., RunResult],
) -> None:
    recipe = recipe_for(
        "local.maxSteps=2",
        f"local.training.method={method}",
        model=small_model(architecture),
    )
    result = run(recipe)
    weights = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    assert result.status == "Completed"
    assert result.last["actor_grad_norm"] > 0
    assert (result.folder / "model" / weights).is_file()


@pytest.mark.parametrize(
    ("asked", "tolerance", "name", "why"),
    [
        ("auto", 1e-3, "native", "it fits the model"),
        ("auto", -1.0, "transformers", "a plain forward pass gives its tokens other"),
        ("transformers", 1e-3, "transformers", "local.engine is transformers"),
    ],
)
def test_a_run_says_which_engine_answers_and_why(
    asked: str,
    tolerance: float,
    name: str,
    why: str,
    recipe_for: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.engine.native_backend.TOLERANCE", tolerance)
    said: list[str] = []
    stages: dict[str, Stage] = {}  # by what goes on, each as it was last
    recipe = recipe_for("local.maxSteps=1", f"local.engine={asked}")
    result = rehearse(
        recipe,
        parent=tmp_path / "runs",
        say=said.append,
        doing=lambda stage: stages.update({stage.what: stage}),
    )
    in_order = ("loading", "validating step 0", "sampling step 1 of 1", "grading step 1 of 1")
    places = [next(i for i, w in enumerate(stages) if w.startswith(start)) for start in in_order]
    assert places == sorted(places)
    assert "saving the model" in stages
    sampled = stages["sampling step 1 of 1"]
    assert sampled.of == recipe.settings.rollouts_per_step
    if name == "native":
        assert 0 < (sampled.share or 0) <= 1
    assert any("answers to sample" in line for line in said)
    engine = RunFolder.open(result.folder).read_record()["engine"]
    assert engine["name"] == name
    assert why in engine["why"]
    assert any(why in line for line in said) == (tolerance < 0)


def test_a_constant_reward_completes_and_is_told_that_it_taught_nothing(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult], mixed_reward: Path
) -> None:
    mixed_reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score': 0.5} for s in event]\n"
    )
    result = run(recipe_for("local.maxSteps=2"))
    assert result.status == "Completed"
    assert result.signal.severity != "clear"
    assert "graded 0.5" in result.signal.words


FLAKY = """
calls = 0
def lambda_handler(event, context):
    global calls
    calls += 1
    if calls == 4:  # after the check of the reward, in both phrasings, and the first validation
        raise ValueError("the judge is busy")
    return [{"id": sample["id"], "aggregate_reward_score": 0.0} for sample in event]
"""


def test_what_went_wrong_in_a_run_that_completed_stands_in_its_events(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    mixed_reward: Path,
) -> None:
    mixed_reward.write_text(FLAKY)
    result = run(recipe_for("local.maxSteps=2"))
    events = RunFolder.open(result.folder).read_events()
    warned = "\n".join(event["message"] for event in events if event["level"] == "warn")
    assert "reference answers no credit" in warned
    assert "No learning signal: every one of the 32 rollouts was graded 0" in warned
    assert "Step 1: 16 of 16 samples failed: 1 x ValueError. Their calls were repeated." in warned
    assert "\n16 of 32 samples failed: 1 x ValueError. Their calls were repeated." in warned
    assert events[-1]["message"] == "Job completed"


def test_the_run_folder_holds_every_file_of_the_list(
    finished: tuple[Recipe, RunResult],
) -> None:
    folder = finished[1].folder
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "run.json",
        "recipe.yaml",
        "recipe.resolved.json",
        "request.json",
        "prompts.jsonl",
        "metrics.jsonl",
        "events.jsonl",
        "step_wise_training_metrics.csv",
        "trainer.jsonl",
        "rollouts",
        "validation",
        "grader.log",
        "grader.times",
        "checkpoints",
        "model",
        "report.html",
    }
    record = json.loads((folder / "run.json").read_text())
    assert record["schema_version"] == 1
    assert record["status"] == "Completed"
    for key in (
        "started",
        "ended",
        "versions",
        "seed",
        "device",
        "lambda_file_system",
        "model",
        "recipe_hash",
        "reward_hash",
    ):
        assert record[key] is not None


@pytest.mark.parametrize("engine", ["native", pytest.param("transformers", marks=pytest.mark.slow)])
def test_what_a_model_proposes_for_generation_changes_neither_rollouts_nor_validation(
    engine: str,
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    small_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    plain, own = small_model("qwen3"), tmp_path / "own"
    shutil.copytree(plain, own)
    proposed = json.loads((plain / "generation_config.json").read_text())
    proposed |= {"do_sample": True, "repetition_penalty": 1.1, "min_p": 0.9, "top_k": 1}
    (own / "generation_config.json").write_text(json.dumps(proposed))
    folders = [
        run(recipe_for("local.maxSteps=1", f"local.engine={engine}", model=m), name=m.name).folder
        for m in (plain, own)
    ]
    for part in ("rollouts/step-000001.jsonl", "validation/step-000000.jsonl"):
        assert (folders[0] / part).read_text() == (folders[1] / part).read_text()
    saved = json.loads((folders[1] / "model" / "generation_config.json").read_text())
    assert (saved["repetition_penalty"], saved["min_p"]) == (1.1, 0.9)
