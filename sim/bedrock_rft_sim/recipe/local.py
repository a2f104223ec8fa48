"""The `local:` section: everything about a rehearsal that Bedrock never sees.

Deliberately holds no default for what the user must decide (model, data, reward), no aliases and no
coercion: a string is not a number and a number is not a flag. Sources: this project's own names, in
AWS's camelCase; limits from `bedrock_rft_sim.contract.limits`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bedrock_rft_sim.contract import limits
from bedrock_rft_sim.contract.defaults import LOCAL
from bedrock_rft_sim.contract.payload_profiles import PayloadProfile

ReasoningEffort = Literal["low", "medium", "high"]


class Section(BaseModel):
    """A part of a recipe: frozen, strict, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


class SharedOverrides(Section):
    """Hyperparameters that both dialects may override, under Bedrock's names."""

    learningRate: float | None = Field(default=None, gt=0, le=1)
    """On the open-weight path the rate that learning_rate_multiplier scales."""
    maxPromptLength: int | None = Field(default=None, ge=1)
    """Tokens; longer prompts are dropped and counted."""
    trainingSamplePerPrompt: int | None = Field(default=None, ge=2)
    """Rollouts per prompt; a group of one has nothing to be compared with."""
    inferenceMaxTokens: int | None = Field(default=None, ge=1)
    """Tokens a rollout may have."""
    evalInterval: int | None = Field(default=None, ge=1)
    """Steps between validations."""
    reasoningEffort: ReasoningEffort | None = None
    """Handed to the chat template."""


class BedrockOverrides(SharedOverrides):
    """What this machine changes in a Nova recipe."""

    epochCount: int | None = Field(default=None, ge=1)
    """Passes over the training data."""
    batchSize: int | None = Field(default=None, ge=1)
    """Prompts per step."""


class OpenAIOverrides(SharedOverrides):
    """What this machine changes in an open-weight recipe."""

    n_epochs: int | None = Field(default=None, ge=1)
    """Passes over the training data."""
    batch_size: int | None = Field(default=None, ge=1)
    """Prompts per step."""
    learning_rate_multiplier: float | None = Field(default=None, gt=0)
    """Scales the base learning rate."""


class LambdaSettings(Section):
    """The configuration the reward's Lambda function will have."""

    timeout: int = Field(
        default=LOCAL["lambda.timeout"].value, ge=1, le=limits.LAMBDA_TIMEOUT_S_MAX
    )
    """Seconds."""
    memorySize: int = Field(
        default=LOCAL["lambda.memorySize"].value,
        ge=limits.LAMBDA_MEMORY_MB_MIN,
        le=limits.LAMBDA_MEMORY_MB_MAX,
    )
    """MB."""
    containers: int = Field(default=LOCAL["lambda.containers"].value, ge=1)
    """Warm containers, each with its own module globals."""
    batchSize: int = Field(default=LOCAL["lambda.batchSize"].value, ge=1)
    """Samples per event; Bedrock's own number is not known."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the function."""
    passAwsCredentials: bool = LOCAL["lambda.passAwsCredentials"].value
    """Whether the handler sees this machine's AWS credentials (a judge needs them)."""


class TrainingSettings(Section):
    """What Bedrock fixes and does not let a request choose; absent means the default."""

    method: Literal["lora", "full"] | None = None
    """Absent: full for the embedded model, else LoRA as on Bedrock."""
    loraRank: int | None = Field(default=None, ge=1)
    """Rank of the adapters."""
    loraAlpha: int | None = Field(default=None, ge=1)
    """Scale of the adapters."""
    temperature: float | None = Field(default=None, gt=0)
    """Of the rollouts; validation is greedy."""
    topP: float | None = Field(default=None, gt=0, le=1)
    """Share of probability that is sampled from."""
    topK: int | None = Field(default=None, ge=0)
    """Tokens that are sampled from; 0 is all."""
    clipRange: float | None = Field(default=None, gt=0, lt=1)
    """Of the probability ratio."""
    klCoefficient: float | None = Field(default=None, ge=0)
    """Weight of the KL term in the loss."""
    gradientClip: float | None = Field(default=None, gt=0)
    """Largest global gradient norm."""
    weightDecay: float | None = Field(default=None, ge=0)
    """Of AdamW."""
    adamBeta1: float | None = Field(default=None, ge=0, lt=1)
    """Of AdamW."""
    adamBeta2: float | None = Field(default=None, ge=0, lt=1)
    """Of AdamW."""
    adamEpsilon: float | None = Field(default=None, gt=0)
    """Of AdamW."""
    shuffle: bool | None = None
    """Whether prompts are shuffled, with the recipe's seed."""


class EarlyStopping(Section):
    """When a run ends before its last step, because validation no longer gains."""

    patience: int = Field(default=LOCAL["earlyStopping.patience"].value, ge=1)
    """Validations in a row without a gain that end the run."""
    minGain: float = Field(default=LOCAL["earlyStopping.minGain"].value, ge=0)
    """A validation reward must beat the best one before it by more than this."""


class Local(Section):
    """What stays at home; `overrides` is narrowed to the recipe's dialect by a subclass."""

    model: str = Field(min_length=1)
    """`tiny`, a folder, or a Hub id: stands in for the base model."""
    trainingData: str = Field(min_length=1)
    """A JSONL path, or `problems` or `problems:N`: stands in for the training file."""
    validationData: str | None = Field(default=None, min_length=1)
    """The same for the validation file."""
    reward: str = Field(min_length=1)
    """A shipped name, or a .py file, folder or .zip: stands in for the Lambda."""
    handler: str = Field(default=LOCAL["handler"].value, min_length=1)
    """The function in the reward's module, or module.function."""
    seed: int = Field(default=LOCAL["seed"].value, ge=0, lt=2**32)
    """Seeds everything random."""
    device: str = Field(default=LOCAL["device"].value, pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """Where the model lives."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = LOCAL["dtype"].value
    """Type of the model's weights."""
    overrides: SharedOverrides = Field(default_factory=SharedOverrides)
    """What is different because this machine is small; never reaches the payload."""
    payloadProfile: PayloadProfile = LOCAL["payloadProfile"].value
    """Where the event carries the reference answer."""
    wrapStringAsText: bool = LOCAL["wrapStringAsText"].value
    """Whether a plain string becomes {"text": ...} in the event."""
    lambda_: LambdaSettings = Field(default_factory=LambdaSettings, alias="lambda")
    """The Lambda function's configuration."""
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    """What Bedrock fixes."""
    checkpointInterval: int | None = Field(default=None, ge=1)
    """Steps between checkpoints."""
    maxSteps: int | None = Field(default=None, ge=1)
    """Ends the run early; Bedrock has no such thing."""
    earlyStopping: EarlyStopping | None = None
    """Absent: the run goes to its last step."""
    chatTemplateKwargs: dict[str, Any] = Field(default_factory=dict)
    """Handed to the chat template, for example enable_thinking."""
    reportTo: list[str] = Field(default_factory=list)
    """Experiment trackers, by TRL's names."""


class BedrockLocal(Local):
    """The local section of a Nova recipe."""

    overrides: BedrockOverrides = Field(default_factory=BedrockOverrides)
    """Under the names of rftConfig.hyperParameters."""


class OpenAILocal(Local):
    """The local section of an open-weight recipe."""

    overrides: OpenAIOverrides = Field(default_factory=OpenAIOverrides)
    """Under the names of reinforcement.hyperparameters, and Bedrock's for what those lack."""
    wrapStringAsText: bool = True
    """The open-weight service appears to wrap a plain string."""
