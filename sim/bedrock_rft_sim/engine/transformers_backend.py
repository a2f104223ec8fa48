"""The back end `transformers`: answers by `generate` of Hugging Face transformers.

What is given is what TRL's `GRPOTrainer` gives. What is left out would come from the model's own
generation_config, such as the repetition penalty of some models, which is therefore out of the way
meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

    from bedrock_rft_sim.engine.sampler import Far, SamplingParams, Watch


class TransformersBackend:
    """A `bedrock_rft_sim.engine.sampler.Backend`; works with every model."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        # Adapters sit in the layers of the base, whose generate heeds its own settings only.
        self._model: Any = model.get_base_model() if hasattr(model, "peft_config") else model
        self._tokenizer = tokenizer
        self._outer: Any = model
        self.is_shared = False
        """Whether the weights come together at every forward pass of all processes, so that each
        goes on until the last one has ended, through the outermost module."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        ends: Collection[int],
        watch: Watch | None,
        far: Far | None = None,  # noqa: ARG002 - `generate` tells nobody how far it is
    ) -> list[list[int]]:
        """Return the answers' token ids in the prompts' order, each up to its end token."""
        from transformers import StoppingCriteriaList

        ids = [list(prompt) for prompt in prompts]
        inputs = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        width = inputs["input_ids"].shape[1]  # (B, P)
        watched = None if watch is None else _Watched(watch, width, ends, [None] * len(ids))
        model = self._outer if self.is_shared else self._model
        with _nothing_proposed(self._model):
            output = model.generate(  # (B, P + T)
                input_ids=inputs["input_ids"].to(self._model.device),
                attention_mask=inputs["attention_mask"].to(self._model.device),
                generation_config=self._config(params, ends),
                stopping_criteria=None if watched is None else StoppingCriteriaList([watched]),
                synced_gpus=True if self.is_shared else None,
            )
        rows = output[:, width:].tolist()
        if watched is not None:
            return [row[:end] for row, end in zip(rows, watched.ended_at, strict=True)]
        return [up_to_end(row, ends) for row in rows]

    def _config(self, params: SamplingParams, ends: Collection[int]) -> GenerationConfig:
        from transformers import GenerationConfig

        chosen: dict[str, Any] = {"do_sample": False}
        if params.temperature > 0:
            chosen = {
                "do_sample": True,
                "temperature": params.temperature,
                "top_p": params.top_p,
                "top_k": params.top_k,
                "min_p": None,
            }
        return GenerationConfig(
            **chosen,
            max_new_tokens=params.max_tokens,
            repetition_penalty=1.0,
            pad_token_id=self._tokenizer.pad_token_id,
            bos_token_id=self._tokenizer.bos_token_id,
            eos_token_id=sorted(ends),
            disable_compile=True,
        )


@contextmanager
def _nothing_proposed(model: Any) -> Iterator[None]:
    """Put the model's own generation_config aside."""
    from transformers import GenerationConfig

    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


@dataclass
class _Watched:
    """A stopping criterion of `generate` that calls a `Watch` with every row."""

    watch: Watch
    width: int
    ends: Collection[int]
    ended_at: list[int | None]
    """How many tokens each answer has, once it has ended."""

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        """Take the tokens so far, (B, P + T); return which rows end, (B,)."""
        import torch

        for row, tokens in enumerate(input_ids[:, self.width :].tolist()):
            if self.ended_at[row] is None and (self.watch(row, tokens) or tokens[-1] in self.ends):
                self.ended_at[row] = len(tokens)
        ended = [length is not None for length in self.ended_at]
        return torch.tensor(ended, device=input_ids.device)


def up_to_end(tokens: list[int], ends: Collection[int]) -> list[int]:
    """Return the tokens up to the first end token, which is kept."""
    stop = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: stop + 1]
