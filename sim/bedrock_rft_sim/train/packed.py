"""Log-probabilities and entropies of rollouts without padding, for TRL's loss.

They equal what TRL's own `_get_per_token_logps_and_entropies` returns, and so do their gradients,
up to float rounding. TRL pushes every row, prompt and padding included, through the model; here the
model sees each real token once. Its layers are untouched and the LM head is TRL's, which gets the
scored positions only; what is exchanged, while a packed row passes, is the attention function.
A model that can't be packed, or whose first batch comes out otherwise, is left to TRL's method.

Axes as in `packing`; H query heads, G key/value heads, D head.
Sources: TRL 1.16, `GRPOTrainer`, `add_fused_lm_head`; transformers, `AttentionInterface`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from bedrock_rft_sim.engine.native_backend import unfit
from bedrock_rft_sim.train.packing import Plan, Rollout, pack, rollouts_of

ATTENTION: Final = "bedrock_rft_sim_packed"
CHECKED_ROWS: Final = 4
ERROR_MAX: Final = 1e-3
"""Nats by which any log-probability of the first batch may differ from TRL's, in float32."""
ERROR_MEAN_MIXED: Final = 0.05
"""The same for their mean in mixed precision, where rounding alone moves single tokens further."""

Scores = tuple[Tensor, Any, Any]
"""What TRL's method returns: log-probabilities and, if wanted, entropies, both (R, T) and zero at
padding; a loss that balances experts, which packed passes don't have."""
Score = Callable[..., Scores]


class PaddedRows(NamedTuple):
    """A batch as TRL has it, prompts padded on the left and completions on the right."""

    input_ids: Tensor
    """(R, P + T)"""
    attention_mask: Tensor
    """(R, P + T)"""
    logits_to_keep: int
    """T"""

    def some(self, rows: slice) -> PaddedRows:
        """Return a part of it."""
        return PaddedRows(self.input_ids[rows], self.attention_mask[rows], self.logits_to_keep)

    def rollouts(self) -> list[Rollout]:
        """Return the token ids without padding."""
        return rollouts_of(*self)


def why_not_packed(model: Any) -> str | None:
    """Return why a model's rollouts can't be packed; None where nothing is known against it."""
    drops = getattr(_inner(model).config.get_text_config(), "attention_dropout", None)
    return "its attention drops weights at random" if drops else unfit(model)


class PackedScores:
    """Scores rollouts packed, where that comes out as TRL's own method has it.

    The plan of a batch is kept from the reference model's pass to the policy's.
    """

    def __init__(
        self,
        model: Any,
        *,
        autocast: Callable[[], AbstractContextManager[Any]],
        is_mixed: bool,
        why_padded: str | None,
        decided: Callable[[str | None], str | None],
    ) -> None:
        """Prepare; `why_padded` is what is known against packing beside the model itself.

        `decided` is called once with why rollouts stay padded, None if they don't; it returns the
        same, or why another process needs them padded.
        """
        self.why_padded = why_padded or why_not_packed(model)
        self._autocast = autocast
        self._is_mixed = is_mixed
        self._decided = decided
        self._is_decided = False
        self._plans: dict[tuple[tuple[int, int], tuple[Rollout, ...]], Plan] = {}

    def score(
        self,
        theirs: Score,
        model: Any,
        rows: PaddedRows,
        *,
        is_trained_R: Tensor | None = None,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **options: Any,
    ) -> Scores:
        """Return what `theirs`, TRL's own method, would return.

        Where `is_trained_R` is False a gradient is not wanted. `batch_size` rows make one pass;
        other options are those of images and of losses that balance experts.
        """
        if any(value is not None and value is not False for value in options.values()):
            self._stay_padded("it takes more than tokens, or its experts are balanced by a loss")
        if not self._is_decided:
            self._check(theirs, model, rows)
        if self.why_padded is not None:
            passed = {"batch_size": batch_size, "compute_entropy": compute_entropy, **options}
            return theirs(model, *rows, **passed)
        size = batch_size or len(rows.input_ids)
        parts = [
            self._score(
                model,
                rows.some(part),
                compute_entropy=compute_entropy,
                is_trained_R=None if is_trained_R is None else is_trained_R[part],
            )
            for part in (slice(at, at + size) for at in range(0, len(rows.input_ids), size))
        ]
        logprobs, *entropies = map(torch.cat, zip(*parts, strict=True))
        return logprobs, entropies[0] if entropies else None, None

    def forget(self) -> None:
        """Let go of the plans of rollouts that are no longer trained on."""
        self._plans.clear()

    def _check(self, theirs: Score, model: Any, rows: PaddedRows) -> None:
        """Score a few rows both ways, once."""
        if self.why_padded is not None:
            self._stay_padded(self.why_padded)
            return
        some = rows.some(slice(None, None, -(-len(rows.input_ids) // CHECKED_ROWS)))
        is_real = some.attention_mask[:, -some.logits_to_keep :].bool()
        with torch.no_grad():
            padded, *_ = theirs(model, *some)
            packed, *_ = self._score(model, some, compute_entropy=False, is_trained_R=None)
        self.forget()
        errors = (padded - packed)[is_real].abs()
        error = float(errors.mean() if self._is_mixed else errors.max())
        if error <= (ERROR_MEAN_MIXED if self._is_mixed else ERROR_MAX):
            self._decide(None)
        else:
            self._stay_padded(f"its log-probabilities came out {error:.2g} nats apart")

    def _stay_padded(self, why: str) -> None:
        if not self._is_decided or self.why_padded is None:
            self._decide(why)

    def _decide(self, why: str | None) -> None:
        self.why_padded, self._is_decided = self._decided(why), True

    def _score(
        self, model: Any, rows: PaddedRows, *, compute_entropy: bool, is_trained_R: Tensor | None
    ) -> list[Tensor]:
        """Return log-probabilities and, if wanted, entropies of one pass's rows."""
        rollouts = rows.rollouts()
        shape, device = (len(rollouts), rows.logits_to_keep), rows.input_ids.device
        if is_trained_R is None:
            return self._run(model, self._plan(rollouts, shape, device), compute_entropy)
        trained = _trained(rollouts, is_trained_R.tolist())
        others = {row: each for row, each in enumerate(rollouts) if row not in trained}
        scores = self._run(model, pack(trained, shape, device), compute_entropy)
        if others:
            with torch.no_grad():
                more = self._run(model, pack(others, shape, device), compute_entropy)
            scores = [mine + other for mine, other in zip(scores, more, strict=True)]
        return scores

    def _plan(self, rollouts: list[Rollout], shape: tuple[int, int], device: torch.device) -> Plan:
        key = shape, tuple(rollouts)
        plan = self._plans.get(key) or pack(dict(enumerate(rollouts)), shape, device)
        self._plans[key] = plan
        return plan

    def _run(self, model: Any, plan: Plan, compute_entropy: bool) -> list[Tensor]:
        with _packing(model, plan), self._autocast():
            output = model(
                input_ids=plan.tokens_1N,
                position_ids=plan.positions_1N,
                shift_labels=plan.labels_1S,
                fused_lm_head=True,
                packed=plan,
            )
        wanted = [output.log_probs, output.entropy] if compute_entropy else [output.log_probs]
        return [
            scores_1S.new_zeros(math.prod(plan.shape))
            .index_copy(0, plan.target_S, scores_1S[0])
            .view(plan.shape)
            for scores_1S in wanted
        ]


def _trained(rollouts: Sequence[Rollout], is_trained_R: Sequence[bool]) -> dict[int, Rollout]:
    """Return the rollouts that a gradient is wanted of, by row.

    Where there is none the shortest is taken: the optimizer then gets gradients of 0 as from TRL,
    not none at all, and goes on by its momentum.
    """
    trained = {r: each for r, each in enumerate(rollouts) if is_trained_R[r]}
    shortest = min(range(len(rollouts)), key=lambda r: len(rollouts[r][1]))
    return trained or {shortest: rollouts[shortest]}


@contextmanager
def _packing(model: Any, plan: Plan) -> Iterator[None]:
    """Let the model take a packed row, and hand the LM head what is scored of it."""
    inner = _inner(model)
    config = inner.config.get_text_config()
    hook = inner.base_model.register_forward_hook(partial(_keep_scored, plan.labels_1S.shape[1]))
    try:
        with _attention(config), _recomputed_alike(inner, config):
            yield
    finally:
        hook.remove()


@contextmanager
def _attention(config: Any) -> Iterator[None]:
    own, config._attn_implementation = config._attn_implementation, ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = own


@contextmanager
def _recomputed_alike(inner: Any, config: Any) -> Iterator[None]:
    """Let layers that are computed again in the backward pass, after this one, attend as in it."""
    layers = [each for each in inner.modules() if getattr(each, "gradient_checkpointing", False)]
    own = [each._gradient_checkpointing_func for each in layers]
    for layer, checkpoint in zip(layers, own, strict=True):
        layer._gradient_checkpointing_func = partial(_checkpoint, checkpoint, config)
    try:
        yield
    finally:
        for layer, checkpoint in zip(layers, own, strict=True):
            layer._gradient_checkpointing_func = checkpoint


def _checkpoint(checkpoint: Callable[..., Any], config: Any, forward: Any, *inputs: Any) -> Any:
    def packed(*again: Any) -> Any:
        with _attention(config):
            return forward(*again)

    return checkpoint(packed, *inputs)


def _keep_scored(count: int, _module: Any, _inputs: Any, output: Any) -> Any:
    output.last_hidden_state = output.last_hidden_state[:, -count:]
    return output


def _inner(model: Any) -> Any:
    """Return the transformers model inside a distributed or a LoRA one."""
    inner = getattr(model, "module", model)
    return inner.get_base_model() if hasattr(inner, "peft_config") else inner


def _attend(
    _module: Any,
    query_1HND: Tensor,
    key_1GND: Tensor,
    value_1GND: Tensor,
    _mask: Tensor | None,
    *,
    packed: Plan,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return what each token finds, (1, N, H, D)."""
    queries = _taken(query_1HND, packed.queries, [(count, size) for count, size, _ in packed.sizes])
    in_blocks = [(count, size) for count, _, size in packed.sizes]
    keys, values = (_taken(each, packed.keys, in_blocks) for each in (key_1GND, value_1GND))
    found_BHQD = [
        scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            is_causal=mask is None,
            scale=scaling,
            enable_gqa=query_1HND.shape[1] != key_1GND.shape[1],
        )
        for mask, query, key, value in zip(packed.masks, queries, keys, values, strict=True)
    ]
    found = torch.cat([each.transpose(1, 2).flatten(0, 1) for each in found_BHQD])
    return found.index_select(0, packed.answer_N)[None], None


def _taken(values_1HND: Tensor, places: Tensor, blocks: list[tuple[int, int]]) -> list[Tensor]:
    """Return what stands at the places, cut into blocks, each (B, H, size, D).

    One gathering for all blocks makes one sum of gradients.
    """
    taken = values_1HND[0].transpose(0, 1).index_select(0, places)
    parts = taken.split([count * size for count, size in blocks])
    return [
        part.unflatten(0, block).transpose(1, 2) for part, block in zip(parts, blocks, strict=True)
    ]


AttentionInterface.register(ATTENTION, _attend)
