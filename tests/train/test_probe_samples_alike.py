"""A probe samples exactly as the first step of the run that it predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer, plain_messages
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.engine.sampled import SampledModel
from bedrock_rft_sim.grader.of_recipe import grader_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.record import StepRecorder

SEED = 11


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_the_same_random_numbers_give_the_answers_that_the_trainer_would_sample(
    architecture: str,
    recipe_for: Callable[..., Recipe],
    small_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    quiet.silence_libraries(offline=True)
    import torch
    from bedrock_rft_sim.train.build import build_trainer

    options = ["local.training.temperature=0.8", "local.training.topP=0.9"]
    recipe = recipe_for(*options, "local.training.topK=40", model=small_model(architecture))
    device = choose_device("cpu", "float32")
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=False)
    settings, rows = recipe.settings, data.train[:4]
    with RunFolder.create(tmp_path, "r") as folder, grader_of(recipe) as grader:
        recorder = StepRecorder(
            folder,
            steps,
            group_size=4,
            stop_requested=lambda: False,
            show=lambda _line: None,
            device_type="cpu",
        )
        trainer = build_trainer(
            recipe,
            rows=data.train,
            validation=(),
            total_steps=1,
            micro_batch=16,
            device=device,
            checkpoints=folder.checkpoints,
            grader=grader,
            recorder=recorder,
        )
        torch.manual_seed(SEED)
        theirs = trainer._generate([plain_messages(row.messages) for row in rows])
    model = SampledModel(recipe.model, device)
    prompts = [model.prompt(row.messages, plan.template_options(recipe)) for row in rows]
    ours = model.answers(
        prompts,
        seed=SEED,
        max_new_tokens=settings.inference_max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
    )
    assert prompts == theirs[0]
    assert [answer.tokens for answer in ours] == theirs[1]
    assert [answer.text for answer in ours] == [each[-1]["content"] for each in theirs[3]]
