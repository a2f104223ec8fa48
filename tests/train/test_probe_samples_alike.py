"""A probe samples exactly as the first step of the run that it predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer, plain_messages
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.interrupt import Interrupt
from bedrock_rft_sim.train.record import Rehearsal

SEED = 11


@pytest.mark.parametrize(
    ("architecture", "engine"),
    [("qwen3", "transformers"), ("llama", "transformers"), ("qwen3", "native")],
)
def test_the_same_random_numbers_give_the_answers_that_the_trainer_would_sample(
    architecture: str,
    engine: str,
    recipe_for: Callable[..., Recipe],
    small_model: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet.silence_libraries(offline=True)
    import torch

    from bedrock_rft_sim.train.build import build_trainer
    from bedrock_rft_sim.train.trainer import RehearsalTrainer

    options = ["local.training.temperature=0.8", "local.training.topP=0.9"]
    options.append(f"local.engine={engine}")
    recipe = recipe_for(*options, "local.training.topK=40", model=small_model(architecture))
    device = choose_device("cpu", "float32")
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=False)
    rows = data.train[:4]
    with RunFolder.create(tmp_path, "r") as folder, Grader(reward_of(recipe)) as grader:
        rehearsal = Rehearsal(recipe, data, steps, folder, device, print)
        trainer = build_trainer(rehearsal, grader, Interrupt())
        messages = [plain_messages(row.messages) for row in rows]
        torch.manual_seed(SEED)
        ours = trainer._generate(messages)
        # The sampler stands in for this method of TRL's; here TRL's own is called.
        monkeypatch.delattr(RehearsalTrainer, "_generate_single_turn")
        torch.manual_seed(SEED)
        theirs = trainer._generate(messages)
    chat = load_tokenizer(recipe.model)
    options = plan.template_options(recipe)
    prompts = [chat.encode(chat.render(row.messages, **options)) for row in rows]
    params = SamplingParams.of_rollouts(recipe.settings, seed=SEED)
    probed = Sampler.load(recipe.model, device, engine=engine).sample(prompts, params)
    assert prompts == theirs[0] == ours[0]
    assert [answer.tokens for answer in probed] == ours[1]
    assert [answer.text for answer in probed] == [each[-1]["content"] for each in ours[3]]
    # The engine native draws other random numbers than TRL.
    assert (ours[1] == theirs[1]) == (engine == "transformers")
