"""Stand-ins for vLLM's engine and TRL's client of its server, with the calls that TRL makes.

They answer with the model that was pushed to them, so that a training runs through TRL's own code.
What they take is held against the real ones in tests/train/test_vllm.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

ENGINE_OPTIONS = (
    "model", "tensor_parallel_size", "gpu_memory_utilization", "max_model_len", "max_num_seqs",
    "enable_sleep_mode", "model_impl", "distributed_executor_backend", "seed",
    "max_num_batched_tokens", "logprobs_mode", "quantization", "trust_remote_code",
)  # fmt: skip
"""What TRL 1.16 makes an engine with."""


@dataclass
class StandInParams:
    """vLLM's `SamplingParams`, as far as TRL sets them."""

    n: int
    repetition_penalty: float
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    logprobs: int


@dataclass
class Pushed:
    """A model whose weights come by name, and how they were when it answered."""

    source: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The sampling parameters of each call."""
    answered_with: list[dict[str, Any]] = field(default_factory=list)
    """The weights at each call."""
    rows: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(self.source).eval()

    def load_weights(self, weights: Iterable[tuple[str, Any]]) -> None:
        own = dict(self.model.named_parameters())
        for name, value in weights:
            own[name].data.copy_(value)

    def answer(
        self, prompt: Sequence[int], params: dict[str, Any]
    ) -> tuple[list[int], list[float]]:
        """Sample one answer; return its tokens and their log-probabilities."""
        import torch

        ids, ends = torch.tensor([list(prompt)]), self.model.generation_config.eos_token_id
        with torch.no_grad():
            whole = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=params["temperature"],
                top_p=params["top_p"],
                top_k=params["top_k"],
                max_new_tokens=params["max_tokens"],
                pad_token_id=0,
                eos_token_id=ends,
            )
            logits = self.model(whole).logits[0, len(prompt) - 1 : -1] / params["temperature"]
        tokens = whole[0, len(prompt) :]
        scores = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
        return tokens.tolist(), scores.tolist()

    def note(self, params: dict[str, Any]) -> None:
        self.asked.append(params)
        weights = {name: each.detach().clone() for name, each in self.model.named_parameters()}
        self.answered_with.append(weights)


class StandInLLM:
    """vLLM's `LLM`."""

    made: StandInLLM

    def __init__(self, **options: Any) -> None:
        assert set(options) == set(ENGINE_OPTIONS)
        self.options = options
        self.pushed = Pushed(options["model"])
        runner = SimpleNamespace(model=self.pushed)
        executor = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=runner))
        limits = SimpleNamespace(max_model_len=options["max_model_len"])
        self.llm_engine = SimpleNamespace(model_executor=executor, model_config=limits)
        self.slept: list[int] = []
        StandInLLM.made = self

    def generate(
        self, prompts: list[dict[str, Any]], sampling_params: StandInParams, use_tqdm: bool
    ) -> list[Any]:
        assert not use_tqdm
        params = vars(sampling_params)
        self.pushed.note(params)
        found = []
        for prompt in prompts:
            ids = prompt["prompt_token_ids"]
            tokens, scores = self.pushed.answer(ids, params)
            self.pushed.rows.append(tokens)
            logprobs = [
                {token: SimpleNamespace(logprob=score, rank=1)}
                for token, score in zip(tokens, scores, strict=True)
            ]
            output = SimpleNamespace(token_ids=tokens, logprobs=logprobs)
            found.append(SimpleNamespace(prompt_token_ids=ids, outputs=[output]))
        return found

    def reset_prefix_cache(self) -> None:
        pass

    def sleep(self, level: int) -> None:
        self.slept.append(level)

    def wake_up(self, tags: list[str]) -> None:
        assert set(tags) <= {"weights", "kv_cache"}


class StandInClient:
    """TRL's `VLLMClient`, whose server is a model in this process."""

    made: StandInClient
    serves: str
    """The model that was started with `vllm serve`."""

    def __init__(
        self,
        base_url: str | None = None,
        host: str = "0.0.0.0",
        server_port: int = 8000,
        group_port: int = 51216,
        connection_timeout: float = 0.0,
    ) -> None:
        self.base_url, self.connection_timeout = base_url, connection_timeout
        self.pushed = Pushed(self.serves)
        StandInClient.made = self

    def init_communicator(self, device: Any = 0) -> None:
        pass

    def get_server_info(self) -> dict[str, Any]:
        return {"model_config": {"logprobs_mode": "processed_logprobs"}}

    def update_named_params(
        self, metadata: list[Any], named_params: Iterable[tuple[str, Any]]
    ) -> None:
        told = {name: tuple(shape) for name, _, shape in metadata}
        pairs = [(name, value.clone()) for name, value in named_params]
        assert told == {name: tuple(value.shape) for name, value in pairs}
        self.pushed.load_weights(pairs)

    def reset_prefix_cache(self) -> None:
        pass

    def generate(
        self, prompts: list[list[int]], features: Any = None, n: int = 1, **params: Any
    ) -> dict[str, Any]:
        self.pushed.note({"n": n, **params})
        found = [self.pushed.answer(prompt, params) for prompt in prompts for _ in range(n)]
        self.pushed.rows += [tokens for tokens, _ in found]
        return {
            "prompt_ids": prompts,
            "completion_ids": [tokens for tokens, _ in found],
            "logprobs": [[[score] for score in scores] for _, scores in found],
            "logprob_token_ids": [[[token] for token in tokens] for tokens, _ in found],
        }


def install(patch: pytest.MonkeyPatch, served: str) -> None:
    """Put the stand-ins where TRL and the recipe's check look for vLLM."""
    from trl.generation import vllm_generation

    from bedrock_rft_sim.recipe import extras

    patch.setattr(extras, "find_spec", lambda _: object())
    patch.setattr(vllm_generation, "is_vllm_available", lambda: True)
    patch.setattr(vllm_generation, "LLM", StandInLLM, raising=False)
    patch.setattr(vllm_generation, "SamplingParams", StandInParams, raising=False)
    patch.setattr(vllm_generation, "VLLMClient", StandInClient)
    patch.setattr(StandInClient, "serves", served, raising=False)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        patch.setenv(name, "")  # TRL sets them; the patch takes them away again
        patch.delenv(name)
