"""The sampler: greedy decoding, random numbers, watching, and its table of back ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.engine import sampler as sampling
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import end_tokens
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams

PROMPTS = [[5, 9, 12], [40, 41], [7] * 9, [100, 3, 100, 3]]
MOST = 6


@pytest.fixture(scope="module", params=["native", "transformers"])
def sampler(request: pytest.FixtureRequest, small_model: Callable[..., Path]) -> Sampler:
    device = Device("cpu", "here", "float32", 0)
    return Sampler.load(str(small_model("qwen3")), device, engine=request.param)


def test_greedy_answers_are_the_likeliest_tokens_in_the_order_of_the_prompts(
    small_model: Callable[..., Path], sampler: Sampler
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = small_model("qwen3")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    answers = sampler.sample(PROMPTS, SamplingParams(MOST, temperature=0))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = list(prompt)
        for _ in range(MOST):
            with torch.no_grad():
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in end_tokens(model, tokenizer):
                break
        assert answer.tokens == ids[len(prompt) :]
        assert answer.stop_reason == ("stop" if ids[-1] == tokenizer.eos_token_id else "length")


def test_a_seed_repeats_the_answers_and_leaves_torch_as_it_was(sampler: Sampler) -> None:
    import torch

    before = torch.random.get_rng_state()
    first, again, other = (
        sampler.sample(PROMPTS, SamplingParams(MOST, seed=seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert first == again != other


def test_without_a_seed_the_random_numbers_are_those_of_torch(sampler: Sampler) -> None:
    import torch

    torch.manual_seed(1)
    answers = sampler.sample(PROMPTS, SamplingParams(MOST))
    assert answers == sampler.sample(PROMPTS, SamplingParams(MOST, seed=1))
    assert answers != sampler.sample(PROMPTS, SamplingParams(MOST))


def test_whoever_watches_sees_each_answer_grow_and_may_end_it(sampler: Sampler) -> None:
    greedy = SamplingParams(MOST, temperature=0)
    whole = sampler.sample(PROMPTS, greedy)
    seen: dict[int, list[list[int]]] = {}

    def watch(place: int, tokens: Sequence[int]) -> bool:
        seen.setdefault(place, []).append(list(tokens))
        return place == 2 and len(tokens) == 3

    answers = sampler.sample(PROMPTS, greedy, watch=watch)
    for place, (answer, full) in enumerate(zip(answers, whole, strict=True)):
        assert answer.tokens == full.tokens[: 3 if place == 2 else None]
        assert seen[place] == [answer.tokens[: n + 1] for n in range(len(answer.tokens))]
    assert answers[2].stop_reason == "length"


def test_what_the_model_s_own_settings_propose_is_left_aside(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = SamplingParams(MOST, temperature=0), SamplingParams(MOST, seed=1)
    expected = [sampler.sample(PROMPTS, each) for each in params]
    for name, value in (("repetition_penalty", 5.0), ("temperature", 9.0), ("top_k", 1)):
        monkeypatch.setattr(sampler.model.generation_config, name, value)
    assert [sampler.sample(PROMPTS, each) for each in params] == expected


def test_a_model_in_training_is_sampled_as_in_evaluation_and_trains_on(sampler: Sampler) -> None:
    sampler.model.train()
    try:
        sampler.sample(PROMPTS[:1], SamplingParams(2))
        assert sampler.model.training
    finally:
        sampler.model.eval()


def test_a_back_end_is_a_class_and_a_line_in_the_table(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Parrot:
        def __init__(self, model: Any, _tokenizer: Any) -> None:
            assert model is sampler.model

        def generate(self, prompts: Any, params: Any, ends: Any, _watch: Any) -> list[list[int]]:
            return [[*prompt[: params.max_tokens - 1], min(ends)] for prompt in prompts]

    monkeypatch.setattr(sampling, "BACKENDS", {**sampling.BACKENDS, "parrot": Parrot})
    parrot = Sampler(sampler.model, sampler._tokenizer, engine="parrot")
    answers = parrot.sample(PROMPTS, SamplingParams(3, temperature=0))
    assert [answer.tokens[:-1] for answer in answers] == [prompt[:2] for prompt in PROMPTS]
    assert {answer.stop_reason for answer in answers} == {"stop"}
