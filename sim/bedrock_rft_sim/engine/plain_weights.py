"""A model's linear layers as one plain weight each, for the time of sampling.

LoRA's product is added to the weight instead of computed beside it at every token, and in mixed
precision the weight is cast once instead of at every token. The parameters themselves are set aside
and put back untouched, so that training goes on from the same bits. Quantized weights can't be
added to: they stay as they are, with LoRA's product computed beside them.

Sources: peft, `get_delta_weight` and `disable_adapter`; torch, `autocast`, whose casts these are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Module, Parameter


class PlainWeights:
    """Of one model, whose weights may change between two uses."""

    def __init__(self, model: Any, *, keeps_memory: bool) -> None:
        """Prepare; a CUDA graph reads the same memory again, so that memory is kept."""
        self._model = model
        self._kept: dict[tuple[Module, str], Parameter] | None = {} if keeps_memory else None

    @contextmanager
    def instead(self, dtype: torch.dtype) -> Iterator[None]:
        """Put plain weights in the places of the model's own inside the block."""
        is_quantized = getattr(self._model, "is_loaded_in_4bit", False)
        adapters = {} if is_quantized else _adapters(self._model)
        own: list[tuple[Module, str, Parameter]] = []
        try:
            for path, layer in self._model.named_modules():
                if isinstance(layer, Linear) and ".lora_" not in path:
                    own += self._replace(layer, adapters.get(layer), dtype)
            with self._model.disable_adapter() if adapters else nullcontext():
                yield
        finally:
            for layer, name, parameter in own:
                setattr(layer, name, parameter)

    def _replace(
        self, layer: Linear, adapter: Any, dtype: torch.dtype
    ) -> Iterator[tuple[Module, str, Parameter]]:
        """Replace what differs from the layer's own parameters; yield those."""
        for name, parameter in list(layer.named_parameters(recurse=False)):
            value = parameter.detach()
            has_product = adapter is not None and name == "weight"
            if has_product:
                value = sum(map(adapter.get_delta_weight, adapter.active_adapters), value)
            if value.is_floating_point() and (has_product or value.dtype != dtype):
                setattr(layer, name, self._keep(layer, name, value.detach().to(dtype)))
                yield layer, name, parameter

    def _keep(self, layer: Linear, name: str, value: Tensor) -> Parameter:
        fresh = Parameter(value, requires_grad=False)
        if self._kept is None:
            return fresh
        kept = self._kept.setdefault((layer, name), fresh)
        if kept is not fresh:
            kept.copy_(value)
        return kept


def _adapters(model: Any) -> dict[Module, Any]:
    """Return the LoRA layer around each layer that has one."""
    if not hasattr(model, "peft_config"):
        return {}
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    return {layer.get_base_layer(): layer for layer in layers if layer.active_adapters}
