"""Keys and values of a batch that is being decoded, and the attention that reads them.

A row's prompt stands in the first columns and every new token in the next one, the same for all
rows: behind a shorter prompt is a gap, which a bias hides. Nothing here knows an architecture: the
model's own layers call `KeyValueStore.attend` through transformers' table of attention functions.

Axes: B rows, U distinct prompts, H query heads, K key/value heads, S columns, P prompt, D head.
Sources: transformers, `AttentionInterface`; torch, `scaled_dot_product_attention`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

ATTENTION = "bedrock_rft_sim_store"


class KeyValueStore:
    """Columns of keys and values, allocated once for a batch."""

    def __init__(self, rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> None:
        self.width = columns
        """How many columns attention reads: fewer than all is quicker, all is a fixed shape."""
        self.slot = torch.zeros(1, dtype=torch.long, device=device)
        """The column of the next token."""
        self._bias_B11S = torch.zeros((rows, 1, 1, columns), dtype=dtype, device=device)
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}  # keys and values, (B, K, S, D)
        self._prompt_of_B: Tensor | None = None  # while prompts are read

    @contextmanager
    def reading(self, prompt_of_B: Tensor, lengths_B: Tensor, width: int) -> Iterator[None]:
        """Take what the model computes inside the block as the prompts, `width` with padding."""
        columns = torch.arange(self._bias_B11S.shape[3], device=lengths_B.device)
        is_hidden = (columns >= lengths_B[:, None])[:, None, None]
        self._bias_B11S.zero_().masked_fill_(is_hidden, float("-inf"))
        self.slot.fill_(width)
        self._prompt_of_B = prompt_of_B
        try:
            yield
        finally:
            self._prompt_of_B = None

    def show_next_column(self) -> None:
        """Let every row see the column of the token that comes now."""
        self._bias_B11S.index_fill_(3, self.slot, 0.0)

    def keep(self, rows: Tensor) -> None:
        """Let go of the other rows; those that stay move to the front of the same memory."""
        self._bias_B11S = self._bias_B11S[rows]
        for layer, stored in self._layers.items():
            for each in stored:
                each[: len(rows), :, : self.width] = each[rows, :, : self.width]
            self._layers[layer] = stored[0][: len(rows)], stored[1][: len(rows)]

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float | None
    ) -> Tensor:
        """Store keys and values; return what the queries find, (B or U, 1 or P, H, D)."""
        keys, values = self._layer(layer, key, value)
        if self._prompt_of_B is not None:
            keys[:, :, : key.shape[2]] = key[self._prompt_of_B]
            values[:, :, : value.shape[2]] = value[self._prompt_of_B]
            return _attend_to_prompt(query, key, value, scaling)
        keys.index_copy_(2, self.slot, key.to(keys.dtype))
        values.index_copy_(2, self.slot, value.to(values.dtype))
        rows, heads, _, size = query.shape
        found_BKGD = scaled_dot_product_attention(  # a group of heads as if successive tokens
            query.reshape(rows, keys.shape[1], -1, size).to(keys.dtype),
            keys[:, :, : self.width],
            values[:, :, : self.width],
            attn_mask=self._bias_B11S[..., : self.width],
            scale=scaling,
        )
        return found_BKGD.reshape(rows, 1, heads, -1)

    def _layer(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        if layer not in self._layers:
            rows, _, _, columns = self._bias_B11S.shape
            shapes = [(rows, each.shape[1], columns, each.shape[3]) for each in (key, value)]
            keys, values = map(self._bias_B11S.new_zeros, shapes)
            self._layers[layer] = keys, values
        return self._layers[layer]


def _attend_to_prompt(query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
    """Padding is on the right, so a causal mask alone keeps every token from looking at it."""
    is_grouped = query.shape[1] != key.shape[1]
    found_UHPD = scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=is_grouped
    )
    return found_UHPD.transpose(1, 2)


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    store: KeyValueStore,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    return store.attend(module.layer_idx, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attend)


@contextmanager
def attention_of_stores(model: PreTrainedModel) -> Iterator[None]:
    """Let the layers call `KeyValueStore.attend` of the `store` that the model's forward gets."""
    config: Any = model.config
    own = config._attn_implementation
    config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = own
