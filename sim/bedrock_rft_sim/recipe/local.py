"""The `local:` section: everything about a rehearsal that Bedrock never sees.

Deliberately holds no default for what the user must decide (model, data, reward), no aliases and no
coercion: a string is not a number and a number is not a flag. Sources: this project's own names, in
AWS's camelCase; limits from `bedrock_rft_sim.contract.limits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from bedrock_rft_sim.contract import limits, sources
from bedrock_rft_sim.contract.knobs import KINDS, KNOBS, Default, DialectName
from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE, PayloadProfile
from bedrock_rft_sim.recipe.trackers import Tracker

_NAMES: Final[dict[DialectName, str]] = {"bedrock": "Bedrock", "openai": "OpenAI"}
TEMPLATE_OWN: Final = {
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation",
    "documents", "max_length", "messages", "padding", "return_assistant_tokens_mask",
    "return_dict", "return_tensors", "sanitize_control_tokens", "self", "tokenize",
    "tokenizer_kwargs", "tools", "truncation",
}  # fmt: skip
"""What `apply_chat_template` of transformers 5 takes itself, and so is no option of a template."""
_SCALES: Final = "Scales the base learning rate."


class Section(BaseModel):
    """A part of a recipe: frozen, strict, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        field_title_generator=lambda name, _: name,
        protected_namespaces=(),
    )


def _default(value: Any, source: str, *, stated_by_aws: bool = False, **bounds: Any) -> Any:
    origin: dict[str, Any] = {"x-source": source, "x-stated-by-aws": stated_by_aws}
    return Field(default=value, json_schema_extra=origin, **bounds)


class LambdaSettings(Section):
    """The configuration the reward's Lambda function will have."""

    timeout: int = _default(
        limits.LAMBDA_TIMEOUT_S_DEFAULT,
        sources.LAMBDA_CONFIG,
        stated_by_aws=True,
        ge=1,
        le=limits.LAMBDA_TIMEOUT_S_MAX,
    )
    """Seconds."""
    memorySize: int = _default(
        512, sources.LAMBDA_REWARDS, ge=limits.LAMBDA_MEMORY_MB_MIN, le=limits.LAMBDA_MEMORY_MB_MAX
    )
    """MB."""
    containers: int = _default(1, sources.HERE, ge=1)
    """Warm containers, each with its own module globals."""
    batchSize: int = _default(limits.SAMPLES_PER_EVENT, sources.NOVA_REWARD, ge=1)
    """Samples per event; Bedrock's own number is not known."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the function."""
    passAwsCredentials: bool = _default(False, sources.HERE)
    """Whether the handler sees this machine's AWS credentials (a judge needs them)."""


class EarlyStopping(Section):
    """When a run ends before its last step, because validation no longer gains."""

    patience: int = _default(3, sources.HYPERPOD_RECIPES, ge=1)
    """Validations in a row without a gain that end the run."""
    minGain: float = _default(0.0, sources.HYPERPOD_RECIPES, ge=0)
    """A validation reward must beat the best one before it by more than this."""


class VllmSettings(Section):
    """How the engine vllm answers training rollouts; TRL's own settings, by its names."""

    mode: Literal["colocate", "server"] = _default("colocate", sources.TRL)
    """vLLM in the training's own process, or a server that `vllm serve` has started."""
    serverUrl: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """Of the server, for example http://localhost:8000."""
    gpuMemoryUtilization: float = _default(0.3, sources.TRL, gt=0, le=1)
    """Share of the GPU that a colocated vLLM holds."""
    tensorParallelSize: int = _default(1, sources.TRL, ge=1)
    """Processes that share a colocated vLLM's weights."""
    maxModelLength: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer; absent: maxPromptLength and inferenceMaxTokens together."""
    sleep: bool = _default(False, sources.TRL)
    """Whether a colocated vLLM lets go of its memory during the update."""
    importanceSampling: Literal[
        "off", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"
    ] = _default("off", sources.HERE)
    """TRL's correction for what vLLM and the trainer compute differently; it changes the loss."""


class Local(Section):
    """What stays at home; `LOCAL_MODELS` narrows it to a dialect."""

    model: str = Field(min_length=1)
    """`tiny`, a folder, a .gguf file, or a Hub id: stands in for the base model."""
    trainingData: str = Field(min_length=1)
    """A JSONL path, or `problems` or `orders`, or `problems:N`: stands in for the training file."""
    validationData: str | None = Field(default=None, min_length=1)
    """The same for the validation file."""
    validationPrompts: int | None = Field(default=None, ge=1)
    """Validates on so many of its prompts, the same ones whatever the seed; absent: on all."""
    reward: str = Field(min_length=1)
    """A shipped name, or a .py file, folder or .zip: stands in for the Lambda."""
    alsoGrade: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Rewards that grade rollouts and validation too and are not trained on: a metric each."""
    handler: str = _default("lambda_handler", sources.HERE, min_length=1)
    """The function in the reward's module, or module.function."""
    seed: int = _default(0, sources.HERE, ge=0, lt=2**32)
    """Seeds everything random."""
    device: str = _default("auto", sources.HERE, pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """Where the model lives."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _default("auto", sources.HERE)
    """Type of the model's sums, and of its weights where they are frozen."""
    engine: Literal["auto", "native", "vllm", "transformers"] = _default("auto", sources.HERE)
    """What samples answers; auto takes native where it fits the model, else transformers."""
    vllm: VllmSettings = Field(default_factory=VllmSettings)
    """Of the engine vllm."""
    passMemory: int | None = Field(default=None, ge=1)
    """MB that one pass of the update may hold; absent: half of what is free, on a CPU 4,096."""
    overrides: Section = Field(default_factory=Section)
    """What is different because this machine is small; never reaches the payload."""
    payloadProfile: PayloadProfile = _default(DEFAULT_PROFILE, sources.HERE)
    """Where the event carries the reference answer."""
    wrapStringAsText: bool = _default(False, sources.SAMPLES)
    """Whether a plain string becomes {"text": ...} in the event."""
    lambda_: LambdaSettings = Field(default_factory=LambdaSettings, alias="lambda")
    """The Lambda function's configuration."""
    training: Section = Field(default_factory=Section)
    """What Bedrock fixes."""
    checkpointInterval: int | None = Field(default=None, ge=1)
    """Steps between checkpoints."""
    maxSteps: int | None = Field(default=None, ge=1)
    """Ends the run early; Bedrock has no such thing."""
    earlyStopping: EarlyStopping | None = _default(None, sources.HYPERPOD_RECIPES)
    """Absent: the run goes to its last step."""
    chatTemplateKwargs: dict[str, Any] = Field(default_factory=dict)
    """Handed to the chat template, for example enable_thinking."""
    reportTo: list[Tracker] = Field(default_factory=list)
    """Experiment trackers, by TRL's names; see the recipe's README for what they get."""

    @property
    def vllm_share(self) -> float:
        """The share of the GPU that a colocated vLLM takes; 0 where there is none."""
        is_colocated = self.engine == "vllm" and self.vllm.mode == "colocate"
        return self.vllm.gpuMemoryUtilization if is_colocated else 0.0


def overrides_model(*dialects: DialectName) -> type[Section]:
    """Build the model of `overrides`; of several dialects, it takes the names of each."""
    found: dict[str, Any] = {}
    for dialect, (inner, knob) in product(dialects, KNOBS.items()):
        own, name = knob.in_request(dialect), knob.override(dialect)
        if name:
            found[name] = _optional(inner)
        if own and own.scales:
            found[own.name] = (float | None, Field(default=None, gt=0, description=_SCALES))
    name = "".join(_NAMES[dialect] for dialect in dialects)
    return create_model(f"{name}Overrides", __base__=Section, **found)


def _optional(inner: str) -> tuple[Any, Any]:
    knob = KNOBS[inner]
    return (KINDS[inner] | None, Field(default=None, description=knob.means, **knob.bounds))


def _training_model() -> type[Section]:
    named = {inner: (knob.local or "").partition(".") for inner, knob in KNOBS.items()}
    found: dict[str, Any] = {
        name: _optional(inner) for inner, (place, _, name) in named.items() if place == "training"
    }
    return create_model("TrainingSettings", __base__=Section, **found)


_TRAINING: Final = _training_model()


def _local_model(dialect: DialectName) -> type[Local]:
    overrides = overrides_model(dialect)
    described = {name: field.description for name, field in Local.model_fields.items()}
    wraps = Field(default=dialect == "openai", description=described["wrapStringAsText"])
    return create_model(
        f"{_NAMES[dialect]}Local",
        __base__=Local,
        overrides=(overrides, Field(default_factory=overrides, description=described["overrides"])),
        training=(_TRAINING, Field(default_factory=_TRAINING, description=described["training"])),
        wrapStringAsText=(bool, wraps),
    )


def _defaults(model: type[Section], *, prefix: str = "") -> Iterator[tuple[str, Default]]:
    for name, field in model.model_fields.items():
        known: Any = field.json_schema_extra
        if known:
            yield f"{prefix}{name}", Default(field.default, *known.values())


LOCAL_MODELS: Final = {dialect: _local_model(dialect) for dialect in get_args(DialectName)}
LOCAL_DEFAULTS: Final = dict(
    chain(
        _defaults(Local),
        _defaults(LambdaSettings, prefix="lambda."),
        _defaults(VllmSettings, prefix="vllm."),
    )
)
"""By dotted name under `local:`; the knobs' defaults stand in their own table."""
