"""Set the process up before the machine-learning libraries are imported: no telemetry, no surprise.

TRL sends a usage ping whenever a trainer is constructed, and the Hub client reports on downloads,
unless the environment says otherwise; both read these variables at import time.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

from bedrock_rft_sim.data.tokens import EMBEDDED_MODEL
from bedrock_rft_sim.recipe import Recipe

SWITCHED_ON = (
    "HF_HUB_DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS",
    "HF_HUB_DISABLE_PROGRESS_BARS",
    "VLLM_NO_USAGE_STATS",
    "TQDM_DISABLE",  # GGUF conversion's bar is no bar of transformers' own
)
LIBRARIES = (
    "transformers", "trl", "peft", "accelerate", "datasets", "torch", "bitsandbytes",
)  # fmt: skip


def silence_for(recipe: Recipe) -> None:
    """Silence the libraries before a recipe's model is loaded; one on this machine needs no Hub."""
    silence_for_models(recipe.model, device=recipe.local.device)


def silence_for_models(*models: str, device: str = "auto") -> None:
    """Silence the libraries before these models are loaded."""
    is_here = all(model == EMBEDDED_MODEL or Path(model).exists() for model in models)
    silence_libraries(offline=is_here, device=device)


def silence_libraries(*, offline: bool, device: str = "auto") -> None:
    """Switch off telemetry, progress bars and chatter; with `offline`, every access to the Hub.

    One GPU is left visible, since the trainer would otherwise spread a batch over all of them; the
    processes of a launcher take one each.
    """
    _, _, number = device.partition(":")
    if number:
        os.environ["CUDA_VISIBLE_DEVICES"] = number
    elif os.environ.get("WORLD_SIZE", "1") == "1":
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for name in SWITCHED_ON:
        os.environ[name] = "1"
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    # The libraries' own remarks (deprecations, hints on speed) are not the user's to act on.
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # it sets its logger's level when imported
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{name}\b")
