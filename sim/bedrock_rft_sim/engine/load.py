"""Find and load the model and tokenizer that a recipe, or the endpoint's mapping, names.

Models come through `AutoModelForCausalLM` and `AutoTokenizer` only; code that a model repository
carries is never run. A folder of LoRA adapters is loaded onto the base that they name.

Sources: peft, `PeftModel`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER, EMBEDDED_MODEL
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.device import Device, ModelShape
from bedrock_rft_sim.errors import TrainingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ADAPTER_FILE = "adapter_config.json"
PROBE = "Ann's 12 trays x 345 rolls = 4,140 (at $0.75)\n#### 4140"


def model_source(model: str) -> str:
    """Return what `from_pretrained` takes: the embedded model's folder for `tiny`."""
    return str(EMBEDDED_FOLDER) if model == EMBEDDED_MODEL else model


def tokenizer_source(model: str) -> str:
    """Return where the tokenizer is: adapters without one use that of their base."""
    source = model_source(model)
    base = adapter_base(source)
    return source if base is None or (Path(source) / "tokenizer.json").is_file() else base


def adapter_base(source: str) -> str | None:
    """Return the base model that the LoRA adapters in the folder name; None for a whole model."""
    if not (Path(source) / ADAPTER_FILE).is_file():
        return None
    from peft import PeftConfig

    return cast("str", PeftConfig.from_pretrained(source).base_model_name_or_path)


def load_model(model: str, device: Device) -> PreTrainedModel:
    """Load a model to be sampled from; adapters are merged into their base.

    Raises:
        TrainingError: it can't be loaded.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source = model_source(model)
    try:
        base = adapter_base(source)
        loaded = AutoModelForCausalLM.from_pretrained(base or source, **model_init_kwargs())
        if base is not None:
            from peft import PeftModel

            loaded = PeftModel.from_pretrained(loaded, source).merge_and_unload()
    except (OSError, ValueError) as error:
        raise _unloadable("model", source, error) from error
    # Of several GPUs, cuda:N is the only one left visible, so here it is cuda.
    return loaded.to(device.type.partition(":")[0]).eval()


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids that end an answer: the tokenizer's and those the model declares."""
    declared = getattr(model.generation_config, "eos_token_id", None)
    several = declared if isinstance(declared, list) else [declared]
    return {token for token in (tokenizer.eos_token_id, *several) if token is not None}


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer; padding falls back to the end token, as TRL does.

    For some declared classes transformers rebuilds the tokenizer and drops the number splitting
    that stands in tokenizer.json (transformers issue 45812).  The file is what the model was
    trained with, so it wins where the two disagree.

    Raises:
        TrainingError: it can't be loaded.
        RecipeError: there is no such model, or it has no chat template.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    chat = load_chat_tokenizer(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        if tokenizer.encode(PROBE, add_special_tokens=False) != chat.encode(PROBE):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(source, padding_side="left")
    except (OSError, ValueError) as error:
        raise _unloadable("tokenizer", source, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def model_shape(source: str) -> ModelShape:
    """Read the sizes that decide memory from the model's configuration.

    Raises:
        TrainingError: the configuration can't be loaded.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise _unloadable("model", source, error) from error
    text: Any = config.get_text_config()
    return ModelShape(text.num_hidden_layers, text.hidden_size, text.vocab_size)


def model_init_kwargs(dtype: str = "float32") -> dict[str, Any]:
    """Return how the weights are loaded: float32 masters; mixed precision is the trainer's."""
    return {"dtype": dtype, "device_map": None}


def _unloadable(part: str, source: str, error: Exception) -> TrainingError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return TrainingError(
        f"the {part} can't be loaded",
        where=f"local.model: {source}",
        expected="tiny, a folder with a Hugging Face model or LoRA adapters, or a Hub id",
        found=first_line,
        hint="check the spelling, the network and, for gated models, HF_TOKEN",
    )
