"""Which local model and which limits stand behind each Bedrock model id.

One YAML, for example:

    default: {model: tiny, maxSteps: 60}
    models:
      openai.gpt-oss-20b:
        model: Qwen/Qwen3-0.6B
        maxSteps: 200
        limits: {inferenceMaxTokens: 256}
        overrides: {learningRate: 1e-5}

`model` is `tiny`, a folder, a GGUF file or a Hub id; `alsoGrade` lists rewards that give a second
opinion; paths are relative to the file.
An id that Bedrock does not offer is added to those that can be called.
A limit holds where the request asks for more or leaves it open; an override always does.
Overrides are checked when the file is read: those of a model by its API's names, the default's by
those of either API.
Whatever differs from the request is said by `remarks`, and stands in the run's report.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from bedrock_rft_sim.contract.knobs import defaults
from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS, OPEN_WEIGHT_RFT_MODELS
from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE, PayloadProfile
from bedrock_rft_sim.data.tokens import EMBEDDED_MODEL
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import expanded, real
from bedrock_rft_sim.recipe.dialects import DIALECTS, DialectName
from bedrock_rft_sim.recipe.load import read_text
from bedrock_rft_sim.recipe.local import Section, overrides_model
from bedrock_rft_sim.recipe.local_errors import complain
from bedrock_rft_sim.recipe.reader import Document, read_document
from bedrock_rft_sim.recipe.shipped import is_bare
from bedrock_rft_sim.recipe.wording import Keys
from bedrock_rft_sim.server.model_ids import known_id

S = TypeVar("S", bound=Section)
BASE_MODELS: Final = (*NOVA_RFT_MODELS, *OPEN_WEIGHT_RFT_MODELS)
_LIMITED: Final = {
    "maxPromptLength": "max_prompt_length",
    "inferenceMaxTokens": "inference_max_tokens",
    "trainingSamplePerPrompt": "samples_per_prompt",
}
_UNSTATED: Final = "maxPromptLength"
"""OpenAI's requests can't state it and Bedrock's default is not published: the limit stands."""


class Limits(Section):
    """Upper ends that this machine sets."""

    maxPromptLength: int | None = Field(default=None, ge=1)
    """Tokens."""
    inferenceMaxTokens: int | None = Field(default=None, ge=1)
    """Tokens."""
    trainingSamplePerPrompt: int | None = Field(default=None, ge=2)
    """Rollouts per prompt."""


TINY_LIMITS: Final = Limits(maxPromptLength=2048, inferenceMaxTokens=96)
OTHER_LIMITS: Final = Limits(maxPromptLength=2048, inferenceMaxTokens=512)


class StandIn(Section):
    """What stands behind one model id."""

    model: str = Field(default="tiny", min_length=1)
    """`tiny`, a folder, a GGUF file, or a Hub id."""
    maxSteps: int | None = Field(default=70, ge=1)
    """Ends a job early; null lets it go to its last step."""
    limits: Limits | None = None
    """Where the request asks for more, or leaves it open; None for those that suit the model."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters by the request's own names, whatever the request says."""
    seed: int = Field(default=0, ge=0)
    """Of the run."""
    device: Literal["auto", "cpu", "mps", "cuda"] = "auto"
    """Where the model trains."""
    payloadProfile: PayloadProfile = DEFAULT_PROFILE
    """Where the event for the grader carries the reference answer."""
    alsoGrade: list[str] = Field(default_factory=list)
    """Rewards that grade too and are not trained on: shipped names, or paths."""

    @property
    def bounds(self) -> Limits:
        """The limits that hold."""
        if self.limits is not None:
            return self.limits
        return TINY_LIMITS if self.model == EMBEDDED_MODEL else OTHER_LIMITS

    def local(self, dialect: DialectName, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of `local:` that this mapping decides, for a checked request."""
        overrides = {**self._limited(dialect, request), **self.overrides}
        values: dict[str, Any] = {"model": self.model, "seed": self.seed, "device": self.device}
        values["payloadProfile"] = self.payloadProfile
        if self.maxSteps is not None:
            values["maxSteps"] = self.maxSteps
        if self.alsoGrade:
            values["alsoGrade"] = self.alsoGrade
        return values | ({"overrides": overrides} if overrides else {})

    def remarks(self, dialect: DialectName, request: Mapping[str, Any]) -> list[str]:
        """Say in words what this rehearsal does differently from the request."""
        base = DIALECTS[dialect].model_id(dict(request))
        words = [f"rehearsal: the local model {self.model!r} stands in for {base}"]
        if self.maxSteps is not None:
            words.append(f"rehearsal: training ends after {self.maxSteps} steps at the latest")
        changed = {**self._limited(dialect, request), **self.overrides}
        return words + [f"rehearsal: {name} is {value} here" for name, value in changed.items()]

    def _limited(self, dialect: DialectName, request: Mapping[str, Any]) -> dict[str, int]:
        speaker = DIALECTS[dialect]
        stated = speaker.translate(speaker.hyperparameters(dict(request)), {})
        found = {}
        for name, inner in _LIMITED.items():
            limit = getattr(self.bounds, name)
            wanted = stated[inner][0] if inner in stated else defaults(dialect)[inner].value
            is_open = name == _UNSTATED and dialect == "openai"
            if limit is not None and (is_open or wanted is None or wanted > limit):
                found[name] = limit
        return found


class ModelMapping(Section):
    """From Bedrock model ids to stand-ins."""

    default: StandIn = StandIn()
    models: dict[str, StandIn] = Field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """The base models: Bedrock's, and those that the mapping adds."""
        added = [name for name in self.models if known_id(name, BASE_MODELS) is None]
        return [*BASE_MODELS, *added]

    def base(self, identifier: str) -> str | None:
        """Return the base model that an id or ARN means, however it is spelled."""
        return known_id(identifier, self.ids)

    def of_request(self, dialect: DialectName, request: Mapping[str, Any]) -> StandIn:
        """Return what stands behind the base model that a request names."""
        return self.stand_in(DIALECTS[dialect].model_id(dict(request)))

    def with_default(self, model: str) -> ModelMapping:
        """Return the mapping with this model, a path from the current folder, as its default.

        Raises:
            RecipeError: it is a path, and nothing lies there.
        """
        named = self.default.model_copy(update={"model": model})
        default = _placed(named, Path.cwd(), where="--model")
        return self.model_copy(update={"default": default})

    def stand_in(self, model_id: str) -> StandIn:
        """Return what stands behind a base model id."""
        name = known_id(model_id, self.models)
        return self.default if name is None else self.models[name]


def read_mapping(path: Path) -> ModelMapping:
    """Read the YAML; a model folder is relative to it.

    Raises:
        RecipeError: it can't be read or says something unknown.
    """
    document = read_document(read_text(path, "mapping"), name=str(path))
    read = checked_section(ModelMapping, document.data or {}, (), document=document, path=path)
    _check_overrides(read, document=document, path=path)
    place = partial(_placed, base=path.parent, where=str(path))
    models = {name: place(one) for name, one in read.models.items()}
    return ModelMapping(default=place(read.default), models=models)


def _check_overrides(read: ModelMapping, *, document: Document, path: Path) -> None:
    where: Any = {"document": document, "path": path}
    either = overrides_model("bedrock", "openai")  # the default stands for models of both APIs
    checked_section(either, read.default.overrides, ("default", "overrides"), **where)
    for name, one in read.models.items():
        kind = overrides_model("bedrock" if known_id(name, NOVA_RFT_MODELS) else "openai")
        checked_section(kind, one.overrides, ("models", name, "overrides"), **where)


def checked_section(kind: type[S], data: Any, at: Keys, *, document: Document, path: Path) -> S:
    """Return a part of a YAML as its model.

    Raises:
        RecipeError: it is none.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{path}:{document.line((*at, *first['loc']))}"
        raise complain(first, model=kind, where=where, under=at) from error


def _placed(stand_in: StandIn, base: Path, *, where: str) -> StandIn:
    found = real(base / expanded(stand_in.model))
    is_path = not is_bare(stand_in.model) and found.exists()
    if not is_path and stand_in.model.startswith((".", "/", "~")):
        raise RecipeError(
            "there is no such model",
            where=where,
            expected="tiny, a folder, a .gguf file, or a Hub id",
            found=str(found),
        )
    also = [
        name if is_bare(name) else str(real(base / expanded(name))) for name in stand_in.alsoGrade
    ]
    model = str(found) if is_path else stand_in.model
    return stand_in.model_copy(update={"model": model, "alsoGrade": also})
