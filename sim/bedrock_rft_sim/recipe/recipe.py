"""The recipe as everything else sees it: checked, frozen, resolved.

Deliberately has no setters and reads no data file; `payload` is all that could ever be sent.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.contract.knobs import Provenance, Settings
from bedrock_rft_sim.contract.sources import HERE
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded, real
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName, RecordShape, Refusal
from bedrock_rft_sim.recipe.local import Local, Section
from bedrock_rft_sim.recipe.resolve import EMBEDDED_MODEL, resolve
from bedrock_rft_sim.recipe.shipped import (
    BUILT_IN,
    find_reward,
    is_shipped,
    is_shipped_reward,
    reward_name,
)
from bedrock_rft_sim.recipe.shown import shown_table

BEFORE: Final[dict[str, Any]] = {
    "local.engine": "auto", "local.alsoGrade": [], "gradient_checkpointing": False,
}  # fmt: skip
"""What a setting that an older version did not know amounted to there."""
UNSAID: Final = Provenance("assumed", HERE)


@dataclass(frozen=True, slots=True)
class BuiltInData:
    """A built-in generator, in place of a file."""

    name: str
    """One of `BUILT_IN`."""

    count: int | None
    """How many records; None leaves it to the run."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A request, word for word, and how it is rehearsed."""

    name: str
    """Safe as a folder's name: the job's name, else the file's stem."""
    path: Path | None
    """The file it came from."""
    text: str
    """As written."""
    dialect: DialectName
    request: dict[str, Any]
    """The cloud half, as Bedrock would get it."""
    local: Local
    settings: Settings
    refusals: tuple[Refusal, ...]
    """What Bedrock would refuse, although it can be rehearsed."""
    provenance: dict[str, Provenance]
    """Where each setting comes from: fields of Settings, and `local.` names."""

    def __repr__(self) -> str:
        """Say which recipe it is."""
        return f"<Recipe {self.name}: {self.base_model}, rehearsed by {self.local.model}>"

    def _repr_html_(self) -> str:
        """Return what is rehearsed, for a notebook."""
        fields = ("model", "trainingData", "validationData", "reward")
        rows = [("local." + name, getattr(self.local, name)) for name in fields]
        rows += [(f"local.overrides.{name}", value) for name, value in self.overrides.items()]
        rows += [("Bedrock would refuse", refusal) for refusal in self.refusals]
        return shown_table(f"{self.name}: {self.base_model}", [("file", self.path), *rows])

    @property
    def folder(self) -> Path:
        """Where relative paths start: of a shipped recipe and of none, the current folder."""
        return Path.cwd() if self.path is None or is_shipped(self.path) else self.path.parent

    @property
    def training_source(self) -> Path | BuiltInData:
        """What stands in for the training file."""
        return self._source(self.local.trainingData)

    @property
    def validation_source(self) -> Path | BuiltInData | None:
        """What stands in for the validation file; None where there is none or a split."""
        chosen = self.local.validationData
        return None if chosen is None else self._source(chosen)

    @property
    def reward_path(self) -> Path:
        """The reward's file, folder or archive."""
        return self._reward(self.local.reward)

    @property
    def second_opinions(self) -> dict[str, Path]:
        """The rewards that grade too and are not trained on, by name."""
        return {reward_name(each): self._reward(each) for each in self.local.alsoGrade}

    @property
    def model(self) -> str:
        """The model's name, or its folder or file as an absolute path."""
        folder = self._path(self.local.model)
        if folder.exists() and self.local.model != EMBEDDED_MODEL:
            return str(folder)
        if self.local.model.startswith((".", "/", "~")):
            raise RecipeError(
                "there is no such model",
                where=self.where("local.model"),
                expected="tiny, a folder, a .gguf file, or a Hub id",
                found=str(folder),
            )
        return self.local.model

    @property
    def base_model(self) -> str:
        """The cloud model's id."""
        return DIALECTS[self.dialect].model_id(self.request)

    @property
    def grader_arn(self) -> str:
        """The reward function's ARN."""
        return DIALECTS[self.dialect].grader_arn(self.request)

    @property
    def record_shape(self) -> RecordShape:
        """Which record shape generated problems take."""
        return DIALECTS[self.dialect].RECORD_SHAPE

    @property
    def overrides(self) -> dict[str, Any]:
        """What is different because this machine is small, under the dialect's names."""
        return self.local.overrides.model_dump(exclude_none=True)

    @property
    def recipe_hash(self) -> str:
        """Tell two recipes apart by their values, not by how they or our sources are worded."""
        meaning = json.dumps(self._meaning(self.resolved()), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(meaning.encode()).hexdigest()

    def changes_since(self, resolved: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Return what a run was started with and what now stands, by name, where these differ."""
        was, now = BEFORE | self._meaning(resolved), self._meaning(self.resolved())
        return {
            name: (was.get(name), now.get(name))
            for name in dict.fromkeys([*now, *was])
            if was.get(name) != now.get(name)
        }

    def _meaning(self, resolved: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a resolved recipe by name, without where they come from."""
        values = {
            prefix + name: entry.get("value")
            for prefix, section in (("local.", "local"), ("", "settings"))
            for name, entry in (resolved.get(section) or {}).items()
        }
        if self.settings.updates_per_step == 1:  # whatever its size, one update takes the batch
            values.pop("mini_batch_size", None)
        return {"dialect": resolved.get("dialect"), "request": resolved.get("request"), **values}

    def as_sent(self) -> Recipe:
        """Return it as the cloud would run it: nothing made smaller, no maxSteps applied.

        The rest of `local:`, the data, the reward and the seed stay.
        """
        unsaid = {"overrides": Section(), "maxSteps": None, "validationPrompts": None}
        local = self.local.model_copy(update=unsaid)
        settings, provenance = resolve(self.dialect, self.request, local)
        return replace(self, local=local, settings=settings, provenance=provenance)

    def where(self, path: str) -> str:
        """Name the file for a message about a dotted path."""
        return f"{self.path or self.name}, {path}"

    def resolved(self) -> dict[str, Any]:
        """Say everything as understood, JSON-ready, with the origin of each value."""
        return {
            "name": self.name,
            "dialect": self.dialect,
            "request": copy.deepcopy(self.request),
            "settings": self._with_origins(asdict(self.settings), prefix=""),
            "local": self._with_origins(self._flat_local(), prefix="local."),
            "overrides": self.overrides,
            "refusals": [str(refusal) for refusal in self.refusals],
        }

    def payload(self) -> dict[str, Any] | None:
        """Give the request for Bedrock; None where Bedrock would refuse it."""
        return None if self.refusals else copy.deepcopy(self.request)

    def _reward(self, text: str) -> Path:
        is_own = not is_shipped_reward(text, base=self.folder)
        return self._path(text) if is_own else find_reward(text)

    def _source(self, text: str) -> Path | BuiltInData:
        name, colon, count = text.partition(":")
        if name in BUILT_IN:
            return BuiltInData(name, int(count) if colon else None)
        return self._path(text)

    def _path(self, text: str) -> Path:
        return real(self.folder / expanded(text))

    def _flat_local(self) -> dict[str, Any]:
        values = self.local.model_dump(by_alias=True, exclude={"overrides", "training"})
        sections = {name: values.pop(name) for name in ("lambda", "vllm")}
        if self.local.engine != "vllm":  # it has no say, and older runs don't know it
            del sections["vllm"]
        return values | {
            f"{section}.{name}": value
            for section, inside in sections.items()
            for name, value in inside.items()
        }

    def _with_origins(self, values: dict[str, Any], *, prefix: str) -> dict[str, Any]:
        return {
            name: {"value": value, **asdict(self.provenance.get(prefix + name, UNSAID))}
            for name, value in values.items()
        }
