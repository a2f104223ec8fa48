"""Find and load the model and tokenizer that a recipe, or the endpoint's mapping, names.

Models come through `AutoModelForCausalLM` and `AutoTokenizer` only; code that a model repository
carries is never run. A folder of LoRA adapters is loaded onto the base that they name.

Sources: peft, `PeftModel`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bedrock_rft_sim.data.tokens import TOKENIZER_FILE, adapter_base, model_folder
from bedrock_rft_sim.data.tokens import end_tokens as end_tokens_of
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.device import Device, ModelShape
from bedrock_rft_sim.errors import RehearsalError, RunFolderError, TrainingError
from bedrock_rft_sim.files import as_new_files, named_errors
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.runs import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Quantization = Literal["nf4"] | None
PROBE = "Ann's 12 trays x 345 rolls = 4,140 (at $0.75)\n#### 4140"


def model_source(model: str) -> str:
    """Return the folder or Hub id that is meant; a GGUF file's is the folder it is unpacked to."""
    folder = model_folder(model, base=Path())
    return model if folder is None else str(folder)


def base_source(model: str) -> str:
    """Return where configuration and weights are: for adapters their base's, all the way down."""
    source = model_source(model)
    base = adapter_base(Path(source))
    return source if base is None else base_source(base)


def tokenizer_source(model: str) -> str:
    """Return where the tokenizer is: adapters without one use that of their base."""
    source = model_source(model)
    return source if (Path(source) / TOKENIZER_FILE).is_file() else base_source(model)


def load_model(model: str, device: Device, *, quantization: Quantization = None) -> PreTrainedModel:
    """Load a model to be sampled from; adapters are merged into their base.

    Raises:
        TrainingError: it can't be loaded.
    """
    # Of several GPUs, cuda:N is the only one left visible, so here it is cuda.
    kind = device.type.partition(":")[0]
    if quantization is not None:
        return load_quantized(model, frozen_dtype(device.dtype), kind).eval()
    return load_whole(model).to(kind).eval()


def frozen_dtype(sums: str) -> str:
    """Return the type of weights that are not trained, by that of the sums."""
    return "bfloat16" if sums == "bfloat16" else "float32"


def load_quantized(model: str, dtype: str, place: str) -> PreTrainedModel:
    """Load a model straight onto a device, its linear layers in NF4 as QLoRA has them.

    Its other weights and its sums are of type `dtype`.

    Raises:
        TrainingError: it can't be loaded.
    """
    import torch
    from transformers import BitsAndBytesConfig

    source = model_source(model)
    if adapter_base(Path(source)) is not None:
        raise TrainingError(
            "LoRA adapters can't be quantized",
            where=f"local.model: {source}",
            expected="a whole model",
            found="adapters",
            hint="merge them into their base first: `rft export`",
        )
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    on = torch.cuda.current_device() if place == "cuda" else place
    options = {**model_init_kwargs(dtype), "device_map": {"": on}}
    loaded = _from_files(source, quantization_config=nf4, **options)
    for layer in loaded.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            # Sampling would pack the weights otherwise, their scales rounded, and for good.
            layer.support_avx512bf16_for_cpu = False
    return loaded


def load_whole(model: str, dtype: str = "float32") -> PreTrainedModel:
    """Load a model onto the CPU; adapters are merged into their base, in float32.

    Raises:
        TrainingError: it can't be loaded.
    """
    import torch
    from safetensors import SafetensorError

    source = model_source(model)
    base = adapter_base(Path(source))
    if base is None:
        return _from_files(source, **model_init_kwargs(dtype))
    from peft import PeftModel

    try:
        merged = PeftModel.from_pretrained(load_whole(base), source).merge_and_unload()
        return merged.to(dtype=getattr(torch, dtype))
    except RehearsalError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unloadable("model", source, error) from error


def _from_files(source: str, **options: Any) -> PreTrainedModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        loaded, report = AutoModelForCausalLM.from_pretrained(
            source, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unloadable("model", source, error) from error
    demand_all(report, source)
    return loaded


def models_of_run(run: Run) -> tuple[str, str]:
    """Return the models before and after a run: the trained one, else its newest whole checkpoint.

    Raises:
        RunFolderError: it has neither.
    """
    folder = run.folder
    tuned = folder.model
    if not tuned.is_dir():
        step, _ = folder.whole_checkpoint()
        if step is None:
            raise RunFolderError(
                "this run has no model yet",
                where=str(folder.path),
                expected="model/ or a whole checkpoint",
                hint="go on with it: `rft run RECIPE --resume`",
            )
        tuned = folder.checkpoint(step)
    return adapter_base(tuned) or run.base_model or "", str(tuned)


def export_model(source: str, out: Path, *, card: str) -> None:
    """Write a model with its tokenizer and a card into a new folder; adapters are merged.

    Raises:
        TrainingError: it can't be loaded.
        RunFolderError: something is there already, or the disk refuses.
    """
    if out.exists():
        raise RunFolderError(
            "something is there already", where=str(out), hint="choose another folder with --out"
        )
    model, tokenizer = load_whole(source), load_tokenizer(tokenizer_source(source))
    unfinished = out.with_name(f".{out.name}.tmp")
    with named_errors(out, "write the model"):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        (unfinished / "README.md").write_text(card, encoding="utf-8")
        as_new_files(unfinished)
        unfinished.replace(out)


def demand_all(report: Mapping[str, Any], source: str) -> None:
    """Refuse a model some of whose weights were not read, which would be random numbers.

    Raises:
        TrainingError: there are such.
    """
    missing = sorted({*report["missing_keys"], *(each[0] for each in report["mismatched_keys"])})
    if missing:
        raise TrainingError(
            "the model is not whole",
            where=f"local.model: {source}",
            expected="every weight of its configuration",
            found=f"{len(missing)} missing or of another shape, such as {missing[0]}",
            hint="fetch it again; a head that shares the embedding needs tie_word_embeddings: true",
        )


def trainable(model: str, settings: Settings, *, dtype: str, device: str) -> PreTrainedModel:
    """Load a model for TRL to train.

    New adapters name what they were trained on: adapters that were merged, not the base of those.

    Raises:
        TrainingError: it can't be loaded.
    """
    if settings.quantization is not None:
        return load_quantized(model, dtype, device.partition(":")[0])
    loaded = load_whole(model, dtype).requires_grad_(True)  # peft leaves merged weights frozen
    if settings.training == "lora":
        loaded.config._name_or_path = loaded.name_or_path = model_source(model)
    return loaded


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
        RecipeError: there is no such model, or it has no chat template or no end token.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    chat = load_chat_tokenizer(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        if tokenizer.encode(PROBE, add_special_tokens=False) != chat.encode(PROBE):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(source, padding_side="left")
    except (OSError, ValueError) as error:
        raise _unloadable("tokenizer", source, error) from error
    end_tokens_of(source, chat)
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
        config = AutoConfig.from_pretrained(base_source(source))
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
