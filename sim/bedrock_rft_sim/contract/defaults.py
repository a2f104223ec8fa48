"""What a setting is when the recipe leaves it out, and who says so.

Deliberately never presents a stand-in as AWS's word: the service's own defaults are published
nowhere, so `stated_by_aws` is true only where AWS describes what Bedrock itself does.
Sources: aws/nova-forge-sdk (Nova), aws/sagemaker-hyperpod-recipes (open weights and the
algorithm), AWS Machine Learning Blog on best practices; named beside each default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from bedrock_rft_sim.contract import limits, sources
from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE

Origin = Literal["stated", "override", "documented", "assumed"]


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


# By inner name, i.e. by field of Settings.
NOVA: Final = {
    "epochs": Default(1, sources.FORGE_SDK),
    "batch_size": Default(128, sources.FORGE_SDK),
    "samples_per_prompt": Default(8, sources.FORGE_SDK),
    "learning_rate": Default(1e-5, sources.FORGE_SDK),
    "max_prompt_length": Default(8192, sources.FORGE_SDK),
    "inference_max_tokens": Default(2048, sources.FORGE_SDK),
    "eval_interval": Default(
        None, f"{sources.BEST_PRACTICES}: min(10, dataset / batch)", stated_by_aws=True
    ),
    "reasoning_effort": Default("medium", sources.FORGE_SDK),
}
OPEN_WEIGHT: Final = {
    "epochs": Default(1, sources.HYPERPOD_RECIPES),
    "batch_size": Default(128, sources.HYPERPOD_RECIPES),
    "samples_per_prompt": Default(8, sources.HYPERPOD_RECIPES),
    "learning_rate": Default(1e-5, f"{sources.HYPERPOD_RECIPES}, LoRA"),
    "max_prompt_length": Default(512, sources.HYPERPOD_RECIPES),
    "inference_max_tokens": Default(1024, sources.HYPERPOD_RECIPES),
    "eval_interval": Default(5, sources.HYPERPOD_RECIPES),
    "reasoning_effort": Default("medium", sources.HYPERPOD_RECIPES),
}

# The learning rate at learning_rate_multiplier 1; Bedrock does not disclose its own.
BASE_LEARNING_RATE: Final = OPEN_WEIGHT["learning_rate"]

ALGORITHM: Final = {
    "temperature": Default(1.0, sources.HYPERPOD_RECIPES),
    "top_p": Default(1.0, sources.HYPERPOD_RECIPES),
    "top_k": Default(0, sources.HYPERPOD_RECIPES),
    "clip_range": Default(0.2, sources.HYPERPOD_RECIPES),
    "kl_coefficient": Default(0.001, sources.HYPERPOD_RECIPES),
    "gradient_clip": Default(1.0, sources.HYPERPOD_RECIPES),
    "weight_decay": Default(0.01, sources.HYPERPOD_RECIPES),
    "adam_beta1": Default(0.9, sources.TORCH),
    "adam_beta2": Default(0.999, sources.TORCH),
    "adam_epsilon": Default(1e-8, sources.TORCH),
    "training": Default("lora", sources.BEST_PRACTICES, stated_by_aws=True),
    "lora_rank": Default(32, sources.BEST_PRACTICES, stated_by_aws=True),
    "lora_alpha": Default(64, sources.HYPERPOD_RECIPES),
    "checkpoint_interval": Default(limits.CHECKPOINT_INTERVAL, sources.HYPERPOD_RECIPES),
    "shuffle": Default(False, sources.HYPERPOD_RECIPES),
    "validation_split": Default(None, sources.UG_NOVA),
    "validation_split_seed": Default(limits.VALIDATION_SPLIT_SEED, sources.HYPERPOD_RECIPES),
    "seed": Default(0, sources.HERE),
    "max_steps": Default(None, sources.HERE),
}
EMBEDDED_TRAINING: Final = Default("full", f"{sources.HERE}: the embedded model is trained whole")
OPEN_WEIGHT_VALIDATION_SPLIT: Final = Default(limits.VALIDATION_SPLIT, sources.HYPERPOD_RECIPES)

# By dotted name under `local:`.
LOCAL: Final = {
    "handler": Default("lambda_handler", sources.HERE),
    "seed": Default(0, sources.HERE),
    "device": Default("auto", sources.HERE),
    "dtype": Default("auto", sources.HERE),
    "payloadProfile": Default(DEFAULT_PROFILE, sources.HERE),
    "wrapStringAsText": Default(False, sources.SAMPLES),
    "lambda.timeout": Default(
        limits.LAMBDA_TIMEOUT_S_DEFAULT, sources.LAMBDA_CONFIG, stated_by_aws=True
    ),
    "lambda.memorySize": Default(512, sources.LAMBDA_REWARDS),
    "lambda.containers": Default(1, sources.HERE),
    "lambda.batchSize": Default(limits.SAMPLES_PER_EVENT, sources.NOVA_REWARD),
    "lambda.passAwsCredentials": Default(False, sources.HERE),
    "earlyStopping": Default(None, sources.HYPERPOD_RECIPES),
    "earlyStopping.patience": Default(3, sources.HYPERPOD_RECIPES),
    "earlyStopping.minGain": Default(0.0, sources.HYPERPOD_RECIPES),
}
