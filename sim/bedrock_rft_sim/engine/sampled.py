"""Sampled answers, several per prompt: as a run's first step samples them.

The generation settings are those that `bedrock_rft_sim.train` hands to TRL, and the weights are the
ones a run starts from. What differs is the random numbers: they are drawn from a seed of the
caller's, so that a probe predicts a run instead of repeating it.

Source: huggingface/trl, `GRPOTrainer` (its generation configuration).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.data.tokens import plain_messages
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.greedy import Answer, answer_batch, end_tokens
from bedrock_rft_sim.engine.load import load_tokenizer, model_init_kwargs, model_source
from bedrock_rft_sim.errors import TrainingError

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


class SampledModel:
    """A model loaded to be sampled from, as a run would start with it.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
    """

    def __init__(self, model: str, device: Device) -> None:
        source = model_source(model)
        # cuda:N is the only GPU left visible, so here it is cuda.
        self._kind = device.type.partition(":")[0]
        self._dtype = device.dtype
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(
            source, load_chat_tokenizer(model)
        )
        self._model = _load(source, self._kind)

    def prompt(self, messages: Sequence[dict[str, Any]], options: dict[str, Any]) -> list[int]:
        """Return the prompt as token ids, by the model's chat template."""
        encoded = self._tokenizer.apply_chat_template(
            plain_messages(messages),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            **options,
        )
        ids: list[int] = encoded["input_ids"]
        return ids

    def answers(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        seed: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
        top_k: int,
    ) -> list[Answer]:
        """Answer each prompt once; the same seed and prompts give the same answers."""
        import torch

        config = self._config(max_new_tokens, temperature, top_p, top_k)
        autocast = torch.autocast(
            self._kind,
            dtype=getattr(torch, self._dtype),
            enabled=self._dtype != "float32",
        )
        gpus = [torch.cuda.current_device()] if self._kind == "cuda" else []
        with torch.random.fork_rng(devices=gpus), autocast:
            torch.manual_seed(seed)
            return answer_batch(self._model, self._tokenizer, prompts, config)

    def _config(
        self, max_new_tokens: int, temperature: float, top_p: float, top_k: int
    ) -> GenerationConfig:
        from transformers import GenerationConfig

        return GenerationConfig(
            do_sample=True,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=None,
            repetition_penalty=1.0,
            pad_token_id=self._tokenizer.pad_token_id,
            bos_token_id=self._tokenizer.bos_token_id,
            eos_token_id=sorted(end_tokens(self._model, self._tokenizer)),
            disable_compile=True,
        )


def _load(source: str, kind: str) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(source, **model_init_kwargs())
    except (OSError, ValueError) as error:
        raise TrainingError(
            "the model can't be loaded",
            where=f"local.model: {source}",
            expected="tiny, a folder with a Hugging Face model, or a Hub id",
            found=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint="check the spelling, the network and, for gated models, HF_TOKEN",
        ) from error
    return model.to(kind).eval()
