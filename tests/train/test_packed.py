"""The update without padding: TRL's loss, gradients, entropies and divergence from fewer tokens."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.sampler import Answer, Engine
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.interrupt import Interrupt
from bedrock_rft_sim.train.record import Rehearsal
from tests.conftest import ARCHITECTURES

LENGTHS = (8, 1, 3, 8, 5, 5, 2, 8, 7, 1, 1, 4, 8, 6, 2, 3)
"""Of canned answers, 4 to each of 4 prompts."""


ALL_FULL = {"layer_types": ["full_attention"], "sliding_window": None}


class Canned:
    """A sampler whose answers are the same for every model."""

    engine = Engine("native", "the same rollouts whatever the model")

    def sample(self, prompts: list[list[int]], _params: Any, **_: Any) -> list[Answer]:
        return [
            Answer([5 + (7 * row + 3 * place) % 250 for place in range(length)], "", "length")
            for row, length in zip(range(len(prompts)), LENGTHS, strict=True)
        ]


@contextmanager
def trainer_of(recipe: Recipe, folder: Path, said: Callable[[str], None] = print) -> Iterator[Any]:
    """Build a trainer whose policy has moved away from the reference model."""
    quiet.silence_libraries(offline=True)
    import torch

    from bedrock_rft_sim.train.build import build_trainer

    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=True)
    device = Device("cpu", "", "float32", 2**33)
    with RunFolder.create(folder, "run") as run, Grader(reward_of(recipe)) as grader:
        rehearsal = Rehearsal(recipe, data, steps, run, device, said)
        trainer = build_trainer(rehearsal, grader, Interrupt())
        trainer.sampler = Canned()
        torch.manual_seed(1)
        with torch.no_grad():
            for weight in trainer.model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight), alpha=0.05)
        yield trainer


def update(trainer: Any, *, padded: bool, why: str | None = "for comparison") -> dict[str, Any]:
    """Return what one update computes, packed or, for the reason given, by TRL's own method."""
    import torch

    trainer._packed.why_padded = why if padded else None
    trainer._packed._is_decided = False
    trainer._buffered_inputs, trainer._step = None, 0
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    trainer.model.train()
    trainer.model.zero_grad()
    torch.manual_seed(2)
    batch = next(iter(trainer.get_train_dataloader()))
    losses = []
    while trainer._step < trainer.args.steps_per_generation:
        losses.append(trainer.training_step(trainer.model, batch, None).item())
    name = "padded" if padded else "packed"
    assert trainer._recorder._folder.read_record()["update"]["name"] == name
    return {
        "loss": sum(losses),
        "gradients": [w.grad.clone() for w in trainer.model.parameters() if w.grad is not None],
        "seen": dict(sorted(trainer._recorder._pending.seen.items())),
    }


def flat(result: dict[str, Any]) -> Any:
    import torch

    return torch.cat([gradient.flatten() for gradient in result["gradients"]])


def assert_equal(packed: dict[str, Any], padded: dict[str, Any]) -> None:
    assert packed["loss"] == pytest.approx(padded["loss"], rel=1e-5, abs=1e-8)
    assert len(packed["gradients"]) == len(padded["gradients"]) > 0
    error, size = (flat(packed) - flat(padded)).norm(), flat(padded).norm()
    assert size > 0
    assert error <= 1e-5 * size
    assert packed["seen"].keys() == padded["seen"].keys() == set(range(len(LENGTHS)))
    for rollout, scores in packed["seen"].items():
        assert scores == pytest.approx(padded["seen"][rollout], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("divergence", [0.0, 0.05])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("model", [*ARCHITECTURES, "tiny"])
def test_loss_gradients_entropies_and_divergence_equal_those_of_trl(
    model: str,
    method: str,
    divergence: float,
    recipe_for: Callable[..., Recipe],
    small_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    recipe = recipe_for(
        f"local.training.method={method}",
        f"local.training.klCoefficient={divergence}",
        f"local.training.temperature={0.7 if divergence else 1.0}",
        model=model if model == "tiny" else small_model(model),
    )
    with trainer_of(recipe, tmp_path / "runs") as trainer:
        assert_equal(update(trainer, padded=False), update(trainer, padded=True))


def test_groups_stay_together_in_micro_batches_and_are_planned_once(
    recipe_for: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.train.build.fitting_micro_batch", lambda *_: 4)
    with trainer_of(recipe_for("local.training.klCoefficient=0.05"), tmp_path / "runs") as trainer:
        from bedrock_rft_sim.train import packed

        planned: list[list[int]] = []

        def pack(rollouts: Any, *rest: Any) -> Any:
            planned.append([len(completion) for _, completion in rollouts.values()])
            return own(rollouts, *rest)

        own = packed.pack
        monkeypatch.setattr(packed, "pack", pack)
        ours = update(trainer, padded=False)
        assert planned[1:] == [list(LENGTHS[at : at + 4]) for at in (0, 4, 8, 12)]
        assert_equal(ours, update(trainer, padded=True))


@pytest.mark.parametrize("micro_batch", [4, 16])
def test_without_divergence_groups_of_one_reward_are_scored_but_not_learned_from(
    micro_batch: int,
    recipe_for: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.train.build.fitting_micro_batch", lambda *_: micro_batch)
    recipe = recipe_for("local.training.klCoefficient=0")
    with trainer_of(recipe, tmp_path / "runs") as trainer:
        own = trainer._calculate_rewards

        def rewards(*inputs: Any) -> Any:
            rewards = own(*inputs)
            rewards[4:12] = 1.0  # the second and the third of four groups
            return rewards

        monkeypatch.setattr(trainer, "_calculate_rewards", rewards)
        trained: list[int] = []
        run = type(trainer._packed)._run

        def count(self: Any, model: Any, plan: Any, entropy: bool) -> Any:
            import torch

            if torch.is_grad_enabled():
                trained.append(plan.labels_1S.numel())
            return run(self, model, plan, entropy)

        monkeypatch.setattr(type(trainer._packed), "_run", count)
        ours = update(trainer, padded=False)
        kept = 2 + 1 if micro_batch == 4 else 0  # a pass with no signal keeps its shortest answer
        assert sum(trained) == sum(LENGTHS) - sum(LENGTHS[4:12]) + kept
        assert_equal(ours, update(trainer, padded=True))


def test_a_step_without_any_signal_gives_the_optimizer_gradients_of_zero(
    recipe_for: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_for("local.training.klCoefficient=0")
    with trainer_of(recipe, tmp_path / "runs") as trainer:
        own = trainer._calculate_rewards
        monkeypatch.setattr(trainer, "_calculate_rewards", lambda *a: own(*a).fill_(0.25))
        ours = update(trainer, padded=False)
    assert ours["loss"] == 0
    assert len(ours["gradients"]) == len(list(trainer.model.parameters()))
    assert flat(ours).count_nonzero() == 0


def test_checkpoints_do_not_carry_the_log_of_all_steps(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    with trainer_of(recipe_for(), tmp_path / "runs") as trainer:
        for step in (1, 2, 3):
            trainer.log({"loss": float(step)})
    assert [line["loss"] for line in trainer.state.log_history] == [3.0]


@pytest.fixture
def sliding_model(small_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A model whose second layer sees four tokens only."""
    folder = shutil.copytree(small_model("qwen2"), tmp_path / "sliding")
    config = json.loads((folder / "config.json").read_text())
    kinds = ["full_attention", "sliding_attention"]
    config |= {"use_sliding_window": True, "sliding_window": 4, "layer_types": kinds}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_model_with_a_sliding_window_is_left_to_trl_and_the_reason_said(
    recipe_for: Callable[..., Recipe], sliding_model: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    with trainer_of(recipe_for(model=sliding_model), tmp_path / "runs", said.append) as trainer:
        update(trainer, padded=True, why=trainer._packed.why_padded)
        record = trainer._recorder._folder.read_record()["update"]
    why = "it has layers with sliding_attention"
    assert record == {"name": "padded", "why": why}
    assert said == [f"the update runs with padding, by TRL: {why}"]


def test_a_model_that_comes_out_otherwise_on_the_first_batch_is_left_to_trl(
    recipe_for: Callable[..., Recipe], sliding_model: Path, tmp_path: Path
) -> None:
    with trainer_of(recipe_for(model=sliding_model), tmp_path / "runs") as trainer:
        padded = update(trainer, padded=True)
        fallen_back = update(trainer, padded=True, why=None)
        record = trainer._recorder._folder.read_record()["update"]
    assert record["why"].startswith("its log-probabilities came out ")
    assert fallen_back["loss"] == padded["loss"]
    assert flat(fallen_back).equal(flat(padded))


@pytest.mark.parametrize(
    ("kind", "changed", "why"),
    [
        ("Llama", {}, None),
        ("Llama", {"attention_dropout": 0.1}, "its attention drops weights at random"),
        ("Mistral", {"sliding_window": 64}, "it has a sliding window"),
        ("Mistral", {"sliding_window": None}, None),
        ("Gemma2", ALL_FULL, "it caps attention scores"),
        ("GptOss", ALL_FULL, "it has attention sinks"),
        ("Bloom", {}, "its attention can't be exchanged"),
    ],
)
def test_what_can_not_be_packed_says_why(
    kind: str, changed: dict[str, Any], why: str | None
) -> None:
    import torch
    import transformers

    from bedrock_rft_sim.train.packed import why_not_packed

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 32, "intermediate_size": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    config = getattr(transformers, f"{kind}Config")(**sizes, **heads, **changed)
    with torch.device("meta"):
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
    assert why_not_packed(model) == why


def test_memory_takes_more_rollouts_at_once_packed_than_padded(
    recipe_for: Callable[..., Recipe], sliding_model: Path
) -> None:
    from bedrock_rft_sim.train.build import fitting_micro_batch

    sets = ("local.overrides.maxPromptLength=120", "local.overrides.inferenceMaxTokens=8")
    device = Device("cpu", "", "float32", 10 * 2**20)
    sizes = [fitting_micro_batch(recipe_for(*sets, model=m), device) for m in (None, sliding_model)]
    assert sizes == [4, 2]


def test_a_cut_through_groups_holds_one_prompt_more() -> None:
    from bedrock_rft_sim.engine.device import packed_tokens

    held = {size: packed_tokens(size, 4, 100, 10) for size in (1, 2, 3, 4, 6, 8)}
    own = 10 + 100 // 20
    assert held == {
        1: own + 100,
        2: 2 * own + 100,
        3: 3 * own + 200,
        4: 4 * own + 100,
        6: 6 * own + 300,
        8: 8 * own + 200,
    }
