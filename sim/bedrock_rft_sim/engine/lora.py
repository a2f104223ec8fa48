"""What LoRA really adapts in a model, counted: "all linear layers" is not all of every model.

Experts of a mixture may be one three-dimensional weight, which is no linear layer; a router may be
one, or be taken for one.

Source: peft, `LoraConfig(target_modules="all-linear")`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.engine.load import base_source
from bedrock_rft_sim.engine.quiet import silence_libraries
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.stats.shares import percent

if TYPE_CHECKING:
    from peft import LoraConfig

EXPERTS: Final = "experts"
ROUTERS: Final = {"router", "gate"}
NO_LAYERS: Final = {"embed_tokens", "lm_head"}
_LAYER = re.compile(r".*?\blayers\.\d+\.")


@dataclass(frozen=True, slots=True)
class Adapted:
    """The layers of a model with LoRA adapters, and those without; by their name in a block."""

    layers: Mapping[str, int]
    """How many of each kind have adapters."""
    trainable: int
    """Parameters of the adapters."""
    parameters: int
    """Parameters of the model itself."""
    frozen: Mapping[str, int]
    """Parameters of each kind of layer without adapters; embeddings and norms don't count."""

    @property
    def routers(self) -> tuple[str, ...]:
        """The adapted layers that choose between experts."""
        names = {*self.layers, *self.frozen}
        if not any(EXPERTS in name.split(".") for name in names):
            return ()
        return tuple(name for name in self.layers if name.rpartition(".")[2] in ROUTERS)

    @property
    def odds(self) -> str | None:
        """Say what is not as "all linear layers" has it; None for an ordinary model."""
        said = [
            f"{name} stays frozen ({percent(count / self.parameters)} of the parameters)"
            for name, count in self.frozen.items()
        ]
        said += [f"the router {name} is adapted" for name in self.routers]
        return "; ".join(said) or None

    @property
    def words(self) -> str:
        """Say it in a line."""
        many = f"LoRA adapts {sum(self.layers.values()):,} layers ({', '.join(self.layers)})"
        counted = f"{self.trainable:,} parameters beside {self.parameters:,}"
        return "; ".join(filter(None, (f"{many}: {counted}", self.odds)))


def lora_config(settings: Settings) -> LoraConfig | None:
    """Return peft's configuration, or None for full fine-tuning."""
    if settings.training == "full":
        return None
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules="all-linear",
    )


def adapted(model: Any) -> Adapted:
    """Count what a model under peft has."""
    layers: set[tuple[str, str]] = set()
    frozen: Counter[str] = Counter()
    trainable = parameters = 0
    for name, weight in model.named_parameters():
        kind, is_adapter = _kind(name)
        if is_adapter:
            trainable += weight.numel()
            layers.add((kind, name.partition(".lora_")[0].replace(".base_layer", "")))
        else:
            shape = _shape(weight)
            parameters += shape.numel()
            if len(shape) > 1 and not NO_LAYERS & set(kind.split(".")):
                frozen[kind] += shape.numel()
    adapters = Counter(kind for kind, _ in sorted(layers))
    return Adapted(
        layers=dict(adapters),
        trainable=trainable,
        parameters=parameters,
        frozen={kind: count for kind, count in frozen.items() if kind not in adapters},
    )


def adapted_of(model: str, settings: Settings) -> Adapted | None:
    """Count for a model that is not loaded, by its configuration; None for full fine-tuning.

    Raises:
        TrainingError: the configuration can't be loaded.
    """
    config = lora_config(settings)
    if config is None:
        return None
    silence_libraries(offline=False)
    from peft import get_peft_model

    return adapted(get_peft_model(skeleton(base_source(model)), config))


def skeleton(source: str) -> Any:
    """Return the model without memory for its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source))


def _shape(weight: Any) -> Any:
    """Return a weight's shape, of a quantized one that of the weight it stands for."""
    packed = getattr(weight, "quant_state", None)
    return weight.shape if packed is None else packed.shape


def _kind(name: str) -> tuple[str, bool]:
    """Return a parameter's layer within its block, and whether it belongs to an adapter."""
    path, found, _ = name.partition(".lora_")
    inner = [part for part in _LAYER.sub("", path).split(".") if part != "base_layer"]
    return ".".join(inner if found else inner[:-1]), bool(found)
