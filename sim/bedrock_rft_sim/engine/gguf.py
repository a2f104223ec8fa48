"""Unpack a GGUF file into an ordinary model folder, through transformers.

    python -m bedrock_rft_sim.engine.gguf FILE FOLDER

The weights are de-quantised to float32; tokenizer, chat template and end tokens are the file's. A
file from which anything would be missing or other than it was trained with is refused: the last
line of the output is then a JSON object with `found` and `hint`, and the exit code 1.

Sources: the GGUF specification (ggml-org/ggml, docs/gguf.md); transformers documentation, GGUF.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.engine.quiet import silence_libraries
from bedrock_rft_sim.errors import TrainingError

SAME_SPLIT_AS_GPT2: Final = {"gpt-2", "smollm"}
"""How texts are split before merging (`tokenizer.ggml.pre`), where transformers has no rule and
takes GPT-2's. SmolLM's splits digits as well, but no token of it holds two."""
ORIGINAL: Final = "take the model's original folder (config.json, safetensors) instead"


def unpack(source: Path, folder: Path) -> None:
    """Write the model folder.

    Raises:
        TrainingError: the file is refused.
    """
    from transformers.integrations.gguf.reader import read_gguf_metadata

    metadata, tensors = read_gguf_metadata(str(source))
    refuse_unfit(metadata, tensors)
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    _save_model(where, folder, ends=_ends(metadata), changes=_unread(metadata))
    _save_tokenizer(where, folder)


def refuse_unfit(metadata: dict[str, Any], tensors: tuple[str, ...]) -> None:
    """Refuse what the header shows to be no whole chat model that would come out as it was."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    kind = metadata.get("general.type", "model")
    if kind != "model":
        raise _refused(f"a file of type {kind}", "name the file of the model itself")
    if metadata.get("split.count", 0) > 1:
        raise _refused("one part of several", "join them with llama-gguf-split --merge")
    if not metadata.get("tokenizer.chat_template"):
        raise _refused("no chat template", "take the file of an instruction-tuned model")
    if "tokenizer.ggml.eos_token_id" not in metadata:
        raise _refused("no end token", "take the file of an instruction-tuned model")
    split = metadata.get("tokenizer.ggml.pre", "none")
    if metadata.get("tokenizer.ggml.model") == "gpt2" and split not in (
        SAME_SPLIT_AS_GPT2 | GGUF_PRE_TOKENIZER_SPLITS.keys()
    ):
        found = (
            f"a way of splitting text that transformers does not know (tokenizer.ggml.pre: {split})"
        )
        raise _refused(found, ORIGINAL)
    if "rope_freqs.weight" in tensors:
        found = "scaled rotary frequencies (rope_freqs.weight), which transformers leaves out"
        raise _refused(found, ORIGINAL)


def _ends(metadata: dict[str, Any]) -> list[int]:
    """Return the end tokens: of a text and, where the file tells them apart, of a turn."""
    names = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
    return list(dict.fromkeys(metadata[name] for name in names if name in metadata))


def _unread(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that transformers leaves at its defaults for some architectures."""
    width = metadata.get(f"{metadata['general.architecture']}.attention.key_length")
    return {} if width is None else {"head_dim": width}


def _save_model(
    where: dict[str, str], folder: Path, *, ends: list[int], changes: dict[str, Any]
) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    read, report = AutoModelForCausalLM.from_pretrained(
        **where,
        config=AutoConfig.from_pretrained(**where, **changes),
        dtype="float32",
        output_loading_info=True,
    )
    missing = sorted({*report["missing_keys"], *report["mismatched_keys"]} - _tied(read))
    if missing:
        found = f"{len(missing)} tensors missing or of another shape, such as {missing[0]}"
        raise _refused(found, "fetch the file again")
    # What was read counts as quantised, which can be neither trained nor saved; the same numbers in
    # a model of the same configuration can.
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.save_pretrained(folder)


def _tied(model: Any) -> set[str]:
    return set(model._tied_weights_keys or {}) if model.config.tie_word_embeddings else set()


def _save_tokenizer(where: dict[str, str], folder: Path) -> None:
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


def _refused(found: str, hint: str) -> TrainingError:
    return TrainingError("the GGUF file is refused", found=found, hint=hint)


def main(source: str, folder: str) -> int:
    """Unpack, or say in one line of JSON why not."""
    silence_libraries(offline=True)
    try:
        import gguf  # noqa: F401 - what transformers reads the tensors with

        unpack(Path(source), Path(folder))
    except ModuleNotFoundError as error:
        hint = "pip install 'bedrock-rft-sim[gguf]'"
        refusal = {"found": f"no package {error.name} here", "hint": hint}
    except TrainingError as error:
        refusal = {"found": error.found or error.what, "hint": error.hint or ORIGINAL}
    except Exception as error:  # noqa: BLE001 - a damaged file fails its readers in any way there is
        first = (str(error).strip().splitlines() or [""])[0]
        refusal = {
            "found": f"{type(error).__name__}: {first}",
            "hint": f"fetch it again, or {ORIGINAL}",
        }
    else:
        return 0
    print(json.dumps(refusal))  # noqa: T201 - its answer to the parent
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
