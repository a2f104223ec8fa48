"""The hash by which a finished run is known again, so that it is never made twice.

It covers everything that decides a run's numbers and can be read without running it: the request
and the settings, what `local:` says, the bytes of the data files and of the reward, and the
versions of this package, torch, TRL, transformers and peft. It leaves out where data and reward
lie, what is inside a model folder (its path counts), and the machine, although another device
rounds differently.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.reward import path_hash
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.provenance import package_versions

VERSIONS: Final = ("bedrock-rft-sim", "torch", "trl", "transformers", "peft")
PLACES: Final = ("trainingData", "validationData", "reward", "alsoGrade", "model")


def identity_of(recipe: Recipe) -> str:
    """Return the hash, in hexadecimal.

    Raises:
        DataError: a data file or the reward is not there.
    """
    versions = package_versions()
    local = recipe.local.model_dump(mode="json", by_alias=True)
    also = {name: _hash(path) for name, path in recipe.second_opinions.items()}
    meaning: dict[str, Any] = {
        "request": recipe.request,
        "settings": asdict(recipe.settings),
        "local": {name: value for name, value in local.items() if name not in PLACES},
        "model": recipe.model,
        "data": [_source(recipe.training_source), _source(recipe.validation_source)],
        "reward": _hash(recipe.reward_path),
        **({"second opinions": also} if also else {}),
        "versions": {name: versions[name] for name in VERSIONS},
    }
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _source(source: Any) -> str | None:
    if source is None:
        return None
    return _hash(source) if isinstance(source, Path) else repr(source)


def _hash(path: Path) -> str:
    if not path.exists():
        raise DataError("no such file", where=str(path), hint="check local: in the base recipe")
    return path_hash(path)
