"""The sampler: greedy decoding, random numbers, watching, and its table of back ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.engine import quiet
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


PROPOSED: dict[str, Any] = {
    "repetition_penalty": 1.1,
    "encoder_repetition_penalty": 1.5,
    "no_repeat_ngram_size": 1,
    "temperature": 9.0,
    "top_k": 1,
    "min_p": 0.9,
    "top_h": 0.1,
    "typical_p": 0.1,
    "epsilon_cutoff": 0.02,
    "eta_cutoff": 0.02,
    "suppress_tokens": list(range(5, 150)),
    "begin_suppress_tokens": list(range(5, 150)),
    "forced_bos_token_id": 7,
    "forced_eos_token_id": 2,
    "min_new_tokens": 5,
    "exponential_decay_length_penalty": (1, 9.0),
    "sequence_bias": [[[7], 9.0]],
    "bad_words_ids": [[each] for each in range(5, 150)],
    "guidance_scale": 3.0,
    "renormalize_logits": True,
    "num_beams": 2,
    "num_return_sequences": 2,
    "max_time": 1e-9,
}
"""What a generation_config.json may hold, each of which changes answers where it is heeded."""


def test_what_the_model_s_own_settings_propose_is_left_aside(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = SamplingParams(MOST, temperature=0), SamplingParams(MOST, seed=1)
    expected = [sampler.sample(PROMPTS, each) for each in params]
    for name, value in PROPOSED.items():
        with monkeypatch.context() as patch:
            patch.setattr(sampler.model.generation_config, name, value)
            before = sampler.model.generation_config.to_dict()
            assert [sampler.sample(PROMPTS, each) for each in params] == expected, name
            after = sampler.model.generation_config.to_dict()
            assert after == before, name  # a saved model keeps them


@pytest.mark.parametrize("engine", ["native", "transformers"])
def test_what_generation_config_json_proposes_reaches_no_answer_but_its_ends_do(
    engine: str, small_model: Callable[..., Path], tmp_path: Path
) -> None:
    plain = shutil.copytree(small_model("qwen3"), tmp_path / "plain")
    own = shutil.copytree(plain, tmp_path / "own")
    ends = {"eos_token_id": [2, *range(150, 320)], "pad_token_id": 0}
    for folder, proposed in ((plain, {}), (own, {"repetition_penalty": 1.1, "min_p": 0.9})):
        (folder / "generation_config.json").write_text(json.dumps({**ends, **proposed}))
    device = Device("cpu", "here", "float32", 0)
    params = SamplingParams(40, temperature=0), SamplingParams(40, seed=1)
    answers = [
        [Sampler.load(str(folder), device, engine=engine).sample(PROMPTS, each) for each in params]
        for folder in (plain, own)
    ]
    assert answers[0] == answers[1]
    assert {each.stop_reason for each in answers[1][1]} == {"stop"}


@pytest.mark.parametrize("engine", ["native", "transformers"])
def test_a_model_with_adapters_is_sampled_without_what_its_base_proposes(
    engine: str, small_model: Callable[..., Path]
) -> None:
    quiet.silence_libraries(offline=True)  # a deprecation between peft and transformers
    from peft import LoraConfig, get_peft_model

    device = Device("cpu", "here", "float32", 0)
    plain = Sampler.load(str(small_model("qwen3")), device, engine=engine)
    params = SamplingParams(MOST, temperature=0), SamplingParams(MOST, seed=1)
    expected = [plain.sample(PROMPTS, each) for each in params]
    adapted = get_peft_model(plain.model, LoraConfig(task_type="CAUSAL_LM", r=2))
    adapted.generation_config.update(repetition_penalty=1.1, min_p=0.9)
    sampler = Sampler(adapted, plain._tokenizer, engine=engine)
    assert [sampler.sample(PROMPTS, each) for each in params] == expected
    assert adapted.generation_config.min_p == 0.9


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

        def generate(self, prompts: Any, params: Any, ends: Any, *_: Any) -> list[list[int]]:
            return [[*prompt[: params.max_tokens - 1], min(ends)] for prompt in prompts]

    monkeypatch.setattr(sampling, "BACKENDS", {**sampling.BACKENDS, "parrot": Parrot})
    parrot = Sampler(sampler.model, sampler._tokenizer, engine="parrot")
    answers = parrot.sample(PROMPTS, SamplingParams(3, temperature=0))
    assert [answer.tokens[:-1] for answer in answers] == [prompt[:2] for prompt in PROMPTS]
    assert {answer.stop_reason for answer in answers} == {"stop"}


def test_a_sampler_tells_how_far_it_is_and_answers_the_same(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "TOKENS_PER_BATCH", 30)  # one or two prompts at a time
    told: list[tuple[int, float]] = []
    params = SamplingParams(6, temperature=0)
    plain = sampler.sample(PROMPTS, params)
    far = sampler.sample(PROMPTS, params, far=lambda done, share: told.append((done, share)))
    assert far == plain
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert all(0 <= done <= len(PROMPTS) and 0 < share <= 1 for done, share in told)
    assert told[-1] == (len(PROMPTS), 1.0)
