"""The table of knobs: every setting of a rehearsal, under all its names, with bounds and defaults.

One field of `Settings` is one knob. What the recipe may state, override or leave out, what is too
small to train, and the ledger's rows of hyperparameters follow from this table.
Deliberately holds no bounds of the service: those stand in botocore's model. A stand-in is never
presented as AWS's word: the service's own defaults are published nowhere, so `stated_by_aws` is
true only where AWS describes what Bedrock itself does.
Sources: named beside each default and each row. Defaults: aws/nova-forge-sdk (Nova),
aws/sagemaker-hyperpod-recipes (open weights and the algorithm), AWS Machine Learning Blog on best
practices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from itertools import count
from typing import Any, Final, Literal, ParamSpec, get_args, get_type_hints

from bedrock_rft_sim.contract import sources

P = ParamSpec("P")
DialectName = Literal["bedrock", "openai"]
Fidelity = Literal["exact", "approximate", "assumed", "ignored", "unknown"]
Origin = Literal["stated", "override", "documented", "assumed"]
ReasoningEffort = Literal["low", "medium", "high"]

HYPERPARAMETERS_PATH: Final[dict[DialectName, str]] = {
    "bedrock": "customizationConfig.rftConfig.hyperParameters",
    "openai": "method.reinforcement.hyperparameters",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value comes from: the recipe, `local`, AWS's word, or a stand-in for it."""

    origin: Origin
    source: str


@dataclass(frozen=True, slots=True)
class Default:
    """A value, where it comes from, and whether AWS states it for Bedrock."""

    value: Any
    source: str
    stated_by_aws: bool = False

    @property
    def provenance(self) -> Provenance:
        """What a resolved recipe says about a setting that has this default."""
        return Provenance("documented" if self.stated_by_aws else "assumed", self.source)


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A knob's name in one dialect's request, and what the ledger says of it there."""

    name: str
    fidelity: Fidelity
    rehearsal: str
    """What the rehearsal does with it."""
    why: str
    source: str
    documented: bool = True
    """False for a key of OpenAI's schema that no Bedrock document shows."""
    scales: bool = False
    """Whether it multiplies the setting instead of being it."""


@dataclass(frozen=True, slots=True)
class Knob:
    """What is known of one setting beside its type."""

    means: str
    _: KW_ONLY
    bedrock: Hyperparameter | None = None
    openai: Hyperparameter | None = None
    local: str | None = None
    """Its name under `local:`, for example training.loraRank."""
    bounds: Mapping[str, Any] = field(default_factory=dict)
    """What can be rehearsed, in pydantic's words: ge, gt, le, lt."""
    default: Default | None = None
    """Of both dialects; None where each has its own."""
    nova: Default | None = None
    open_weight: Default | None = None

    def in_request(self, dialect: DialectName) -> Hyperparameter | None:
        """Return the hyperparameter of a dialect's request, where it has one."""
        return self.bedrock if dialect == "bedrock" else self.openai

    def override(self, dialect: DialectName) -> str | None:
        """Name it under local.overrides: as the request does, else as Bedrock does."""
        own = self.in_request(dialect)
        chosen = own if own and own.documented and not own.scales else self.bedrock
        return chosen.name if chosen else None


def _as_metadata(make: Callable[P, Knob]) -> Callable[P, dict[str, Knob]]:
    return lambda *args, **kwargs: {"knob": make(*args, **kwargs)}


_knob = _as_metadata(Knob)


def _fixed(means: str, local: str, value: Any, source: str, **bounds: float) -> dict[str, Knob]:
    """Return a knob that Bedrock fixes and only `local:` can turn."""
    return _knob(means, local=local, default=Default(value, source), bounds=bounds)


_BLOG: Final = sources.BEST_PRACTICES
_VERL: Final = sources.HYPERPOD_RECIPES
OPEN_WEIGHT_LEARNING_RATE: Final = Default(1e-5, f"{_VERL}, LoRA")
"""At learning_rate_multiplier 1; Bedrock does not disclose its own."""
LORA_LEARNING_RATE: Final = Default(1e-4, sources.BEST_PRACTICES)
"""A good start for the LoRA that Bedrock trains, which takes ten times the rate of full."""
EMBEDDED_TRAINING: Final = Default("full", f"{sources.HERE}: the embedded model is trained whole")
OPEN_WEIGHT_VALIDATION_SPLIT: Final = Default(0.1, _VERL)
"""Where no validation set is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the trainer is given; one step is batch_size prompts × samples_per_prompt.

    The eight hyperparameters come first, in the order of Bedrock's service model.
    """

    # fmt: off
    epochs: int = field(metadata=_knob(
        "Passes over the training data.",
        bounds={"ge": 1}, nova=Default(1, sources.FORGE_SDK), open_weight=Default(1, _VERL),
        bedrock=Hyperparameter(
            "epochCount", "exact", "that many passes over the prompts",
            "a pass has floor(prompts / batchSize) steps", _BLOG),
        openai=Hyperparameter(
            "n_epochs", "exact", "that many passes over the prompts",
            "a pass has floor(prompts / batch_size) steps; unset is assumed to be 1",
            sources.UG_OPENAI_JOBS),
    ))
    batch_size: int = field(metadata=_knob(
        "Prompts per step.",
        bounds={"ge": 1}, nova=Default(128, sources.FORGE_SDK), open_weight=Default(128, _VERL),
        bedrock=Hyperparameter(
            "batchSize", "exact", "prompts per step",
            "one step is batchSize prompts times trainingSamplePerPrompt rollouts", _BLOG),
        openai=Hyperparameter(
            "batch_size", "exact", "prompts per step",
            "the published run's 67 steps and multiples of 1/32 follow; unset is assumed to be 128",
            sources.SAMPLES),
    ))
    learning_rate: float = field(metadata=_knob(
        "AdamW's rate; on the open-weight path learning_rate_multiplier scales it.",
        bounds={"gt": 0, "le": 1},
        nova=Default(1e-5, sources.FORGE_SDK), open_weight=OPEN_WEIGHT_LEARNING_RATE,
        bedrock=Hyperparameter(
            "learningRate", "approximate", "AdamW's rate, constant",
            "Bedrock's optimizer and schedule are not published; a small model bears a higher rate",
            _BLOG),
        openai=Hyperparameter(
            "learning_rate_multiplier", "assumed",
            "scales a base rate of 1e-5, or local.overrides.learningRate",
            "Bedrock's base rate is not published; 1e-5 is that of AWS's LoRA recipes for verl",
            _VERL, scales=True),
    ))
    max_prompt_length: int = field(metadata=_knob(
        "Tokens; longer prompts are dropped and counted.",
        bounds={"ge": 1}, nova=Default(8192, sources.FORGE_SDK), open_weight=Default(512, _VERL),
        bedrock=Hyperparameter(
            "maxPromptLength", "approximate", "longer prompts are dropped and counted",
            "the rule is the same, but the tokens are the local model's tokens", _BLOG),
    ))
    samples_per_prompt: int = field(metadata=_knob(
        "Rollouts per prompt; a group of one has nothing to be compared with.",
        bounds={"ge": 2}, nova=Default(8, sources.FORGE_SDK), open_weight=Default(8, _VERL),
        bedrock=Hyperparameter(
            "trainingSamplePerPrompt", "exact", "rollouts per prompt, i.e. the GRPO group",
            "at least 2, because a group of one has nothing to be compared with",
            sources.UG_SUBMIT),
    ))
    inference_max_tokens: int = field(metadata=_knob(
        "Tokens a rollout may have.",
        bounds={"ge": 1}, nova=Default(2048, sources.FORGE_SDK), open_weight=Default(1024, _VERL),
        bedrock=Hyperparameter(
            "inferenceMaxTokens", "approximate",
            "answers are cut there, graded as they are, and counted",
            "the tokens are the local model's tokens; how Bedrock grades a cut answer is not known",
            _BLOG),
    ))
    reasoning_effort: ReasoningEffort | None = field(metadata=_knob(
        "Handed to the chat template.",
        nova=Default("medium", sources.FORGE_SDK), open_weight=Default("medium", _VERL),
        bedrock=Hyperparameter(
            "reasoningEffort", "ignored",
            "handed to the chat template; a model without such a thing is not affected",
            "the stand-in models do not reason by effort", sources.SAMPLES),
        openai=Hyperparameter(
            "reasoning_effort", "ignored",
            "handed to the chat template, and reported as something Bedrock does not document",
            "a key of OpenAI's schema; a model without such a thing is not affected",
            sources.OPENAI_SCHEMA, documented=False),
    ))
    eval_interval: int | None = field(metadata=_knob(
        "Steps between validations.",
        bounds={"ge": 1}, open_weight=Default(5, _VERL),
        # None: `bedrock_rft_sim.data.plan` works it out.
        nova=Default(None, f"{_BLOG}: min(10, dataset / batch)", stated_by_aws=True),
        bedrock=Hyperparameter(
            "evalInterval", "exact", "validation every so many steps, and at step 0 and the end",
            "unset, both take min(10, dataset / batch); dataset is counted after the length filter",
            _BLOG),
        openai=Hyperparameter(
            "eval_interval", "unknown", "used, and reported as something Bedrock does not document",
            "a key of OpenAI's schema; no Bedrock example shows it",
            sources.OPENAI_SCHEMA, documented=False),
    ))

    temperature: float = field(metadata=_fixed(
        "Of the rollouts; validation is greedy. Below 0.01 numbers overflow, as vLLM says.",
        "training.temperature", 1.0, _VERL, ge=0.01))
    top_p: float = field(metadata=_fixed(
        "Share of probability that is sampled from.", "training.topP", 1.0, _VERL, gt=0, le=1))
    top_k: int = field(metadata=_fixed(
        "Tokens that are sampled from; 0 is all.", "training.topK", 0, _VERL, ge=0))
    mini_batch_size: int = field(metadata=_fixed(
        "Prompts per update; a larger batch makes several.", "training.miniBatchSize", 32, _VERL,
        ge=1))
    clip_range: float = field(metadata=_fixed(
        "Of the probability ratio.", "training.clipRange", 0.2, _VERL, gt=0, lt=1))
    kl_coefficient: float = field(metadata=_fixed(
        "Weight of the KL term in the loss.", "training.klCoefficient", 0.001, _VERL, ge=0))
    gradient_clip: float = field(metadata=_fixed(
        "Largest global gradient norm.", "training.gradientClip", 1.0, _VERL, gt=0))
    weight_decay: float = field(metadata=_fixed(
        "Of AdamW.", "training.weightDecay", 0.01, _VERL, ge=0))
    adam_beta1: float = field(metadata=_fixed(
        "Of AdamW.", "training.adamBeta1", 0.9, sources.TORCH, ge=0, lt=1))
    adam_beta2: float = field(metadata=_fixed(
        "Of AdamW.", "training.adamBeta2", 0.999, sources.TORCH, ge=0, lt=1))
    adam_epsilon: float = field(metadata=_fixed(
        "Of AdamW.", "training.adamEpsilon", 1e-8, sources.TORCH, gt=0))
    training: Literal["lora", "full"] = field(metadata=_knob(
        "Absent: full for the embedded model, else LoRA as on Bedrock.", local="training.method",
        default=Default("lora", _BLOG, stated_by_aws=True)))
    lora_rank: int = field(metadata=_knob(
        "Rank of the adapters.", local="training.loraRank", bounds={"ge": 1},
        default=Default(32, _BLOG, stated_by_aws=True)))
    lora_alpha: int = field(metadata=_fixed(
        "Scale of the adapters.", "training.loraAlpha", 64, _VERL, ge=1))
    quantization: Literal["nf4"] | None = field(metadata=_fixed(
        "Of the frozen weights below LoRA adapters, 4 bits each: QLoRA.", "training.quantization",
        None, sources.HERE))
    gradient_checkpointing: bool = field(metadata=_fixed(
        "Whether an update computes activations twice instead of keeping them.",
        "training.gradientCheckpointing", False, sources.HERE))
    # save_freq of AWS's verl recipes; gives the four checkpoints of the one published run.
    checkpoint_interval: int = field(metadata=_fixed(
        "Steps between checkpoints.", "checkpointInterval", 20, _VERL, ge=1))
    shuffle: bool = field(metadata=_fixed(
        "Whether prompts are shuffled, with the recipe's seed.", "training.shuffle", False, _VERL))
    validation_split: float | None = field(metadata=_knob(
        "Share of the training file kept for validation; None where there is no split.",
        default=Default(None, sources.UG_NOVA)))
    validation_split_seed: int = field(metadata=_knob(
        "Seed of the split.", default=Default(42, _VERL)))
    seed: int = field(metadata=_fixed(
        "Seeds everything random.", "seed", 0, sources.HERE, ge=0, lt=2**32))
    max_steps: int | None = field(metadata=_fixed(
        "Ends the run early; Bedrock has no such thing.", "maxSteps", None, sources.HERE, ge=1))
    # fmt: on

    @property
    def rollouts_per_step(self) -> int:
        """How many answers are sampled in one step."""
        return self.batch_size * self.samples_per_prompt

    @property
    def updates_per_step(self) -> int:
        """How many updates a batch makes: ceil(batch / mini-batch), as verl makes them.

        More where that many equal parts can't be made of its rollouts; verl's last one is smaller.
        """
        least = -(-self.batch_size // self.mini_batch_size)
        return next(parts for parts in count(least) if self.rollouts_per_step % parts == 0)

    @property
    def rollouts_per_update(self) -> int:
        """How many answers one update learns from."""
        return self.rollouts_per_step // self.updates_per_step


KNOBS: Final[dict[str, Knob]] = {each.name: each.metadata["knob"] for each in fields(Settings)}
"""By inner name, i.e. by field of `Settings`."""
KINDS: Final[dict[str, Any]] = {
    name: get_args(hint)[0] if type(None) in get_args(hint) else hint
    for name, hint in get_type_hints(Settings).items()
}
"""The type of each, leaving out that it may be None."""


def hyperparameters(dialect: DialectName) -> dict[str, str]:
    """Return the hyperparameters of a dialect's request and their inner names."""
    named = {inner: knob.in_request(dialect) for inner, knob in KNOBS.items()}
    return {known.name: inner for inner, known in named.items() if known}


def defaults(dialect: DialectName | None) -> dict[str, Default]:
    """Return what each setting is when nothing is said; without a dialect, of both only."""
    own = {"bedrock": "nova", "openai": "open_weight", None: "default"}[dialect]
    found = {inner: knob.default or getattr(knob, own) for inner, knob in KNOBS.items()}
    return {inner: default for inner, default in found.items() if default}
