"""A recipe's settings as TRL's `GRPOConfig`, every choice written out.

TRL's own defaults change between releases (its loss, its KL coefficient, its batch arithmetic), so
nothing here is left to them.  The values mirror AWS's verl GRPO recipes;
`bedrock_rft_sim.contract.ledger` names each deviation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import model_init_kwargs
from bedrock_rft_sim.recipe import Settings
from bedrock_rft_sim.train.record import Rehearsal

if TYPE_CHECKING:
    from peft import LoraConfig
    from trl import GRPOConfig


def grpo_config(rehearsal: Rehearsal, *, micro_batch: int) -> GRPOConfig:
    """Return TRL's configuration for one run."""
    from trl import GRPOConfig

    settings = rehearsal.recipe.settings
    return GRPOConfig(
        output_dir=str(rehearsal.folder.checkpoints),
        max_steps=rehearsal.steps.total,
        seed=settings.seed,
        data_seed=settings.seed,
        model_init_kwargs=model_init_kwargs(),
        chat_template_kwargs=plan.template_options(rehearsal.recipe) or None,
        **_batch(settings, micro_batch),
        **_sampling(settings),
        **_loss(settings),
        **_optimizer(settings),
        **_precision(rehearsal.device),
        **_bookkeeping(rehearsal.recipe.local.reportTo),
    )


def _batch(settings: Settings, micro_batch: int) -> dict[str, Any]:
    """One step = batch_size prompts x samples_per_prompt rollouts, one update."""
    accumulation = settings.batch_size * settings.samples_per_prompt // micro_batch
    return {
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": accumulation,
        "steps_per_generation": accumulation,
        "num_generations": settings.samples_per_prompt,
        "num_iterations": 1,
        "shuffle_dataset": settings.shuffle,
        "dataloader_drop_last": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
    }


def _sampling(settings: Settings) -> dict[str, Any]:
    return {
        "max_completion_length": settings.inference_max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "min_p": None,
        "repetition_penalty": 1.0,
        "use_vllm": False,
    }


def _loss(settings: Settings) -> dict[str, Any]:
    """Group-normalised advantages, clipped token-mean loss over the whole batch, k3 KL loss."""
    return {
        "loss_type": "dapo",  # TRL's name for the token mean over the accumulated batch
        "importance_sampling_level": "token",
        "scale_rewards": "group",
        "beta": settings.kl_coefficient,
        "epsilon": settings.clip_range,
        "epsilon_high": settings.clip_range,
        "delta": None,
        "mask_truncated_completions": False,
        "sync_ref_model": False,
        "entropy_coef": 0.0,
        "top_entropy_quantile": 1.0,
        "disable_dropout": True,
    }


def _optimizer(settings: Settings) -> dict[str, Any]:
    return {
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "optim": "adamw_torch",
        "weight_decay": settings.weight_decay,
        "adam_beta1": settings.adam_beta1,
        "adam_beta2": settings.adam_beta2,
        "adam_epsilon": settings.adam_epsilon,
        "max_grad_norm": settings.gradient_clip,
    }


def _precision(device: Device) -> dict[str, Any]:
    return {
        "use_cpu": device.type == "cpu",
        "bf16": device.dtype == "bfloat16",
        "fp16": device.dtype == "float16",
        "gradient_checkpointing": False,
    }


def _bookkeeping(report_to: list[str]) -> dict[str, Any]:
    """Log every step; checkpoints and validation are the recorder's to call."""
    return {
        "logging_steps": 1,
        "logging_first_step": False,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": report_to or "none",
        "log_completions": False,
        "disable_tqdm": True,
    }


def lora_config(settings: Settings) -> LoraConfig | None:
    """Return peft's configuration, or None for full fine-tuning."""
    if settings.training == "full":
        return None
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules="all-linear",
    )
