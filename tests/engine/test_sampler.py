"""Greedy answers, held against decoding one token at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bedrock_rft_sim.engine.load import end_tokens
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams

PROMPTS = [[5, 9, 12], [40, 41], [7] * 9, [100, 3, 100, 3]]
MOST = 6


def test_greedy_answers_are_the_likeliest_tokens_in_the_order_of_the_prompts(
    small_model: Callable[..., Path],
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = small_model("qwen3")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    answers = Sampler(model, tokenizer).sample(PROMPTS, SamplingParams(MOST, temperature=0))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = list(prompt)
        for _ in range(MOST):
            with torch.no_grad():
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in end_tokens(model, tokenizer):
                break
        assert answer.tokens == ids[len(prompt) :]
        assert answer.stop_reason == ("stop" if ids[-1] == tokenizer.eos_token_id else "length")
