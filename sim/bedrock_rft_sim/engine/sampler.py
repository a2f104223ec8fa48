"""One sampler for everything that needs answers of a local model.

Training rollouts, validation, the probe and the endpoint's model process all call
`Sampler.sample`: prompts and answers are token ids. How the tokens are generated is a back end's
matter; adding one is a file with a class like `TransformersBackend` and a line in `BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import (
    Quantization,
    end_tokens,
    load_model,
    load_tokenizer,
    tokenizer_source,
)
from bedrock_rft_sim.engine.transformers_backend import TransformersBackend
from bedrock_rft_sim.errors import EngineError
from bedrock_rft_sim.recipe import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS_PER_BATCH = 32_768
"""Prompt and response tokens that are sampled at once, padding included."""

Watch = Callable[[int, Sequence[int]], bool]
"""Called after every token with the prompt's position and its answer so far, token ids; returns
whether that answer is to end here."""
Far = Callable[[int, float], None]
"""Called now and then with how many answers have ended, and the share of the work that is done."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the tokens of an answer are chosen."""

    max_tokens: int
    temperature: float = 1.0
    """0 is greedy, which draws no random number."""
    top_p: float = 1.0
    top_k: int = 0
    """Tokens that are sampled from; 0 is all."""
    seed: int | None = None
    """With a seed, torch's generators are as before afterwards; None draws from them."""

    @classmethod
    def of_rollouts(cls, settings: Settings, *, seed: int | None = None) -> SamplingParams:
        """Return how a run samples its training rollouts."""
        return cls(
            max_tokens=settings.inference_max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the model."""

    tokens: list[int]
    """Response token ids, the end token included."""
    text: str
    stop_reason: Literal["stop", "length"]
    """`stop` when the model ended the answer, `length` when the token limit or a `Watch` did."""


class Backend(Protocol):
    """Generates tokens with one model, whose weights may change between two calls."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        ends: Collection[int],
        watch: Watch | None,
        far: Far | None = None,
    ) -> list[list[int]]:
        """Return the answers' token ids in the prompts' order, each up to its end token.

        The seed is set already; gradients are off and the model is in evaluation mode.
        """


def _native(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Backend:
    from bedrock_rft_sim.engine.native_backend import NativeBackend

    return NativeBackend(model, tokenizer)


BACKENDS: Final[Mapping[str, Callable[[PreTrainedModel, PreTrainedTokenizerBase], Backend]]] = {
    "native": _native,
    "transformers": TransformersBackend,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """Which back end answers, and why this one."""

    name: str
    why: str


class Sampler:
    """Answers of one model, which may be in training."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        dtype: str = "float32",
        engine: str = "auto",
    ) -> None:
        """Prepare; a `dtype` other than float32 computes in mixed precision.

        Raises:
            EngineError: `engine` is not `auto` and does not fit the model.
        """
        self.model = model
        self._tokenizer = tokenizer
        self._ends = end_tokens(model, tokenizer)
        self._dtype = dtype
        self._wanted = engine
        name = "native" if engine == "auto" else engine
        why = "it fits the model" if engine == "auto" else f"local.engine is {engine}"
        try:
            self._backend, self.engine = BACKENDS[name](model, tokenizer), Engine(name, why)
        except EngineError as error:
            self._fall_back(error)

    @classmethod
    def load(
        cls,
        model: str,
        device: Device,
        *,
        engine: str = "auto",
        quantization: Quantization = None,
    ) -> Sampler:
        """Load a model as a run would start with it, or a tuned one, ready to be sampled.

        Raises:
            TrainingError: the model or its tokenizer can't be loaded.
            RecipeError: there is no such model.
        """
        tokenizer = load_tokenizer(tokenizer_source(model))
        loaded = load_model(model, device, quantization=quantization)
        return cls(loaded, tokenizer, dtype=device.dtype, engine=engine)

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        *,
        watch: Watch | None = None,
        far: Far | None = None,
    ) -> list[Answer]:
        """Answer each prompt (token ids) once; the same seed and prompts give the same answers."""
        answers: dict[int, Answer] = {}
        with self._ready(params.seed):
            for batch in _batches(prompts, params):
                seen = None if watch is None else partial(_watch_batch, watch, batch)
                of = far and partial(far_of_part, far, len(answers), len(batch), len(prompts))
                rows = self._generate([prompts[i] for i in batch], params, seen, of)
                answers.update(zip(batch, map(self.answer, rows), strict=True))
                if of is not None:
                    of(len(batch), 1.0)
        return [answers[index] for index in range(len(prompts))]

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        watch: Watch | None,
        far: Far | None,
    ) -> list[list[int]]:
        try:
            return self._backend.generate(prompts, params, self._ends, watch, far)
        except EngineError as error:
            self._fall_back(error)
            if far is not None:
                far(0, 0.0)
            return self._backend.generate(prompts, params, self._ends, watch, far)

    def _fall_back(self, error: EngineError) -> None:
        if self._wanted != "auto":
            raise error
        self._backend = BACKENDS["transformers"](self.model, self._tokenizer)
        self.engine = Engine("transformers", f"not native, since {error.found}")

    def answer(self, tokens: list[int]) -> Answer:
        """Return token ids, up to the end token, as an answer."""
        has_ended = bool(tokens) and tokens[-1] in self._ends
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return Answer(tokens, text, "stop" if has_ended else "length")

    @contextmanager
    def _ready(self, seed: int | None) -> Iterator[None]:
        """Bring model, precision and random numbers into the state that sampling needs."""
        import torch

        kind = self.model.device.type
        mixed = torch.autocast(
            kind, dtype=getattr(torch, self._dtype), enabled=self._dtype != "float32"
        )
        gpus = [torch.cuda.current_device()] if kind == "cuda" else []
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), mixed, torch.random.fork_rng(gpus, enabled=seed is not None):
                if seed is not None:
                    torch.manual_seed(seed)
                yield
        finally:
            self.model.train(was_training)


def far_of_part(far: Far, before: int, size: int, total: int, ended: int, share: float) -> None:
    """Tell how far the whole is, of which a part of this size is on its way after others."""
    far(before + ended, (before + size * share) / total)


def _watch_batch(watch: Watch, batch: Sequence[int], row: int, tokens: Sequence[int]) -> bool:
    return watch(batch[row], tokens)


def _batches(prompts: Sequence[Sequence[int]], params: SamplingParams) -> list[list[int]]:
    """Return the positions that are answered together.

    Greedy prompts go longest first, in batches whose padded size stays under `TOKENS_PER_BATCH`.
    Random numbers depend on the batch, so whoever samples cuts it.
    """
    order = list(range(len(prompts)))
    if not prompts or params.temperature > 0:
        return [order] if order else []
    order.sort(key=lambda index: -len(prompts[index]))
    size = max(1, TOKENS_PER_BATCH // (len(prompts[order[0]]) + params.max_tokens))
    return [order[start : start + size] for start in range(0, len(order), size)]
