"""Find and load the model and tokenizer that a recipe names.

Models come through `AutoModelForCausalLM` and `AutoTokenizer` only; code that a model repository
carries is never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER, EMBEDDED_MODEL, ChatTokenizer
from bedrock_rft_sim.engine.device import ModelShape
from bedrock_rft_sim.errors import TrainingError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def model_source(model: str) -> str:
    """Return what `from_pretrained` takes: the embedded model's folder for `tiny`."""
    return str(EMBEDDED_FOLDER) if model == EMBEDDED_MODEL else model


PROBE = "Ann's 12 trays x 345 rolls = 4,140 (at $0.75)\n#### 4140"


def load_tokenizer(source: str, chat: ChatTokenizer) -> PreTrainedTokenizerBase:
    """Load the tokenizer; padding falls back to the end token, as TRL does.

    For some declared classes transformers rebuilds the tokenizer and drops the number splitting
    that stands in tokenizer.json (transformers issue 45812).  The file is what the model was
    trained with, so it wins where the two disagree.

    Raises:
        TrainingError: it can't be loaded, or it has no chat template.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        if tokenizer.encode(PROBE, add_special_tokens=False) != chat.encode(PROBE):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(source, padding_side="left")
    except (OSError, ValueError) as error:
        raise _unloadable("tokenizer", source, error) from error
    if tokenizer.chat_template is None:
        raise TrainingError(
            "the tokenizer has no chat template",
            where=source,
            expected="an instruction-tuned model, whose prompts are chat messages",
            found="a tokenizer without chat_template",
            hint="name an instruct model under local.model",
        )
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


def model_init_kwargs() -> dict[str, Any]:
    """Return how the weights are loaded: float32 masters; mixed precision is the trainer's."""
    return {"dtype": "float32", "device_map": None}


def _unloadable(part: str, source: str, error: Exception) -> TrainingError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return TrainingError(
        f"the {part} can't be loaded",
        where=f"local.model: {source}",
        expected="tiny, a folder with a Hugging Face model, or a Hub id",
        found=first_line,
        hint="check the spelling, the network and, for gated models, HF_TOKEN",
    )
