"""The back end `native`: answers by our own loop over the model's own layers.

The same distribution as `generate` of transformers, and the same greedy tokens, from less work:
`bedrock_rft_sim.engine.decoding` says how. It takes text models whose layers all attend to every
token before, through transformers' attention interface; `unfit` names what does not fit, and a
plain forward pass scores answers of the first batch once more, which must agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from bedrock_rft_sim.engine.decoding import BatchShape, Decoder, refusal
from bedrock_rft_sim.engine.device import STORE_SHARE, total_memory_bytes
from bedrock_rft_sim.engine.key_value_store import attention_of_stores
from bedrock_rft_sim.engine.plain_weights import PlainWeights
from bedrock_rft_sim.engine.sampler import Far, SamplingParams, Watch, far_of_part
from bedrock_rft_sim.errors import EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLUMNS = 64
"""A store has a multiple of so many columns, so that few shapes occur."""
SCORED_TOKENS = 1024
"""Of the first batch, prompts included, that a plain forward pass scores once more."""
TOKENS_BEFORE_WATCHED = 32
"""Length of the answers that are scored before the first that are watched."""
TOLERANCE = 1e-3
"""Nats between two log-probabilities of one token in float32."""
TOLERANCE_MIXED = 0.05
"""The same in mixed precision, whose sums are rounded to 8 bits, as the mean over the tokens."""


class NativeBackend:
    """A `bedrock_rft_sim.engine.sampler.Backend`.

    Raises:
        EngineError: the model does not fit it.
    """

    def __init__(self, model: Any, _tokenizer: PreTrainedTokenizerBase) -> None:
        why = unfit(model)
        if why is not None:
            raise refusal(why)
        self._model = _without_adapters(model)
        self._is_cuda = model.device.type == "cuda"
        self._weights = PlainWeights(model, keeps_memory=self._is_cuda)
        self._kept: dict[BatchShape, Decoder] = {}  # the latest last
        self._is_checked = False

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        ends: Collection[int],
        watch: Watch | None,
        far: Far | None = None,
    ) -> list[list[int]]:
        """Return the answers' token ids in the prompts' order, each up to its end token.

        Raises:
            EngineError: a plain forward pass scores the tokens differently, or no graph can be
                captured; torch's generator is as before.
        """
        before = torch.get_rng_state()
        if watch is not None and not self._is_checked:  # what is shown can't be taken back
            few = min(TOKENS_BEFORE_WATCHED, params.max_tokens)
            self.generate(prompts, replace(params, max_tokens=few), ends, None)
            torch.set_rng_state(before)
        try:
            rows, logprobs = self._decode(prompts, params, ends, watch, far)
            if not self._is_checked:
                self._check(prompts, rows, logprobs)
        except EngineError:
            torch.set_rng_state(before)
            raise
        return rows

    def _decode(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        ends: Collection[int],
        watch: Watch | None,
        far: Far | None,
    ) -> tuple[list[list[int]], list[list[float]]]:
        """Decode as many rows at once as memory has room for."""
        numbers_BT = _numbers(len(prompts), params)
        dtype = _dtype_of_sums(self._model)
        columns = -(-(max(map(len, prompts)) + params.max_tokens) // COLUMNS) * COLUMNS
        shape = BatchShape(0, columns, replace(params, seed=None), frozenset(ends), dtype)
        room = cells(self._model, dtype)
        parts = -(-len(prompts) * columns // room)
        size = -(-len(prompts) // parts)
        rows: list[list[int]] = []
        logprobs: list[list[float]] = []
        with self._weights.instead(dtype), attention_of_stores(self._model):
            for start in range(0, len(prompts), size):
                part = prompts[start : start + size]
                found = self._decoder(replace(shape, rows=len(part)), room, watch).decode(
                    part,
                    numbers_BT[start : start + size],
                    is_static=self._is_cuda and watch is None,
                    watch=watch and partial(_watch_from, watch, start),
                    far=far and partial(far_of_part, far, start, len(part), len(prompts)),
                )
                rows += found[0]
                logprobs += found[1]
        return rows, logprobs

    def _decoder(self, shape: BatchShape, room: int, watch: Watch | None) -> Decoder:
        """Return a decoder; of a GPU the same one as for such a batch before, with its graph."""
        if watch is not None or not self._is_cuda:
            return Decoder(self._model, shape)
        known = self._kept.pop(shape, None)
        if known is None:
            self._is_checked = False  # a new graph is as good as a new decoder
        while self._kept and shape.cells + sum(each.cells for each in self._kept) > room:
            del self._kept[next(iter(self._kept))]
        self._kept[shape] = known or Decoder(self._model, shape)
        return self._kept[shape]

    def _check(
        self,
        prompts: Sequence[Sequence[int]],
        rows: Sequence[Sequence[int]],
        logprobs: Sequence[Sequence[float]],
    ) -> None:
        """Compare with a plain forward pass, for answers from all over the batch."""
        gaps: list[torch.Tensor] = []
        seen = 0
        for place in range(0, len(rows), max(1, len(rows) // 16)):
            seen += len(prompts[place]) + len(rows[place])
            if gaps and seen > SCORED_TOKENS:
                break
            gaps.append(self._gaps(prompts[place], rows[place], logprobs[place]))
        found = torch.cat(gaps)
        is_mixed = torch.is_autocast_enabled(self._model.device.type)
        apart = float(found.mean() if is_mixed else found.max())
        most = TOLERANCE_MIXED if is_mixed else TOLERANCE
        if not apart <= most:  # nor where it is no number
            raise refusal(
                f"a plain forward pass gives its tokens other log-probabilities: {apart:.2g} nats "
                f"apart, allowed are {most:.2g}"
            )
        self._is_checked = True

    def _gaps(
        self, prompt: Sequence[int], answer: Sequence[int], logprobs: Sequence[float]
    ) -> torch.Tensor:
        """Return how far each token's log-probability is from that of a plain pass, (T, 1)."""
        device = self._model.device
        ids_1N = torch.tensor([[*prompt, *answer]], device=device)
        logits = self._model(
            input_ids=ids_1N, use_cache=False, logits_to_keep=len(answer) + 1
        ).logits[0, :-1]
        tokens_T1 = torch.tensor(answer, device=device)[:, None]
        plain_T1 = logits.float().log_softmax(-1).gather(1, tokens_T1)
        return (plain_T1 - torch.tensor(logprobs, device=device)[:, None]).abs()


def _without_adapters(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model


def _watch_from(watch: Watch, start: int, row: int, tokens: Sequence[int]) -> bool:
    return watch(start + row, tokens)


def _numbers(rows: int, params: SamplingParams) -> torch.Tensor:
    """Draw what decides each token, on the CPU whatever the device; greedy draws nothing."""
    shape = rows, params.max_tokens
    make = torch.zeros if params.temperature == 0 else torch.rand
    return make(shape, dtype=torch.float64)


def _dtype_of_sums(model: Any) -> torch.dtype:
    kind = model.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype


def cells(model: Any, dtype: torch.dtype) -> int:
    """Return for how many tokens there is memory; cutting a batch by it changes rounding alone."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    each = 2 * config.num_hidden_layers * heads * size * dtype.itemsize
    return int(total_memory_bytes(model.device.type) * STORE_SHARE) // each


def unfit(model: Any) -> str | None:
    """Return why a model can't be decoded here, None where it can."""
    plain = _without_adapters(model)
    config = plain.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    has_window = getattr(config, "sliding_window", None) is not None
    rotary = getattr(config, "rope_parameters", None) or {}
    reasons = {
        "its attention can't be exchanged": not plain._supports_attention_backend,
        "it is no decoder": config.is_encoder_decoder,
        f"it has layers with {', '.join(sorted(kinds))}": bool(kinds),
        "it has a sliding window": has_window and getattr(config, "use_sliding_window", True),
        "it caps attention scores": getattr(config, "attn_logit_softcapping", None) is not None,
        "it has attention sinks": any("sinks" in name for name, _ in plain.named_parameters()),
        "it has experts": any(
            getattr(config, name, None) for name in ("num_experts", "num_local_experts")
        ),
        "its positions depend on the length": rotary.get("rope_type") in ("dynamic", "longrope"),
        "it takes more than text": config is not plain.config,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)
