"""Greedy answers, one per prompt: how AWS's verl recipes validate (`n 1`, temperature 0).

Greedy decoding draws no random number, so validating leaves the training samples unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

TOKENS_PER_BATCH = 32_768


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the model."""

    text: str
    tokens: list[int]
    """Response token ids, the end token included."""
    stop_reason: str
    """`stop` when the model ended the answer, `length` when the token limit did."""


def greedy_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
) -> list[Answer]:
    """Answer every prompt (token ids) greedily, in the order given."""
    longest_first = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    answers: dict[int, Answer] = {}
    config = _greedy_config(model, tokenizer, max_new_tokens)
    for batch in _batches(longest_first, prompts, max_new_tokens):
        texts = answer_batch(model, tokenizer, [prompts[i] for i in batch], config)
        answers.update(zip(batch, texts, strict=True))
    return [answers[index] for index in range(len(prompts))]


def _batches(
    order: Sequence[int], prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[list[int]]:
    """Cut into batches whose padded size stays under TOKENS_PER_BATCH."""
    if not order:
        return []
    size = max(1, TOKENS_PER_BATCH // (len(prompts[order[0]]) + max_new_tokens))
    return [list(order[start : start + size]) for start in range(0, len(order), size)]


def answer_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    config: GenerationConfig,
) -> list[Answer]:
    """Answer all prompts (token ids) at once, in the way `config` says, one answer each."""
    import torch

    inputs = tokenizer.pad({"input_ids": [list(ids) for ids in prompts]}, return_tensors="pt")
    with torch.no_grad():
        output = model.generate(  # (B, P + T)
            input_ids=inputs["input_ids"].to(model.device),
            attention_mask=inputs["attention_mask"].to(model.device),
            generation_config=config,
        )
    width = inputs["input_ids"].shape[1]
    ends = end_tokens(model, tokenizer)
    return [_answer(tokenizer, row[width:].tolist(), ends) for row in output]


def _greedy_config(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int
) -> GenerationConfig:
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=sorted(end_tokens(model, tokenizer)),
    )


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids that end an answer: the tokenizer's and those the model declares."""
    declared = getattr(model.generation_config, "eos_token_id", None)
    several = declared if isinstance(declared, list) else [declared]
    return {token for token in (tokenizer.eos_token_id, *several) if token is not None}


def _answer(tokenizer: PreTrainedTokenizerBase, tokens: list[int], ends: set[int]) -> Answer:
    stop = next((i for i, token in enumerate(tokens) if token in ends), None)
    kept = tokens if stop is None else tokens[: stop + 1]
    text = tokenizer.decode(kept, skip_special_tokens=True)
    return Answer(text, kept, "length" if stop is None else "stop")
