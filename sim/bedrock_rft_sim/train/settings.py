"""A recipe's settings as TRL's `GRPOConfig`, every choice written out.

TRL's own defaults change between releases (its loss, its KL coefficient, its batch arithmetic), so
nothing here is left to them; a test names each field that is neither here nor known to be without
effect.  The values mirror AWS's verl GRPO recipes; `bedrock_rft_sim.contract.ledger` names each
deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.engine.load import frozen_dtype, model_init_kwargs
from bedrock_rft_sim.recipe import Recipe, Settings
from bedrock_rft_sim.recipe.local import Local
from bedrock_rft_sim.recipe.trackers import OWN_NAMES
from bedrock_rft_sim.train.record import Rehearsal

if TYPE_CHECKING:
    from trl import GRPOConfig

SERVER_TIMEOUT_S: Final = 240.0
"""How long a server of vLLM's may take to be up; TRL's own."""


def grpo_config(rehearsal: Rehearsal, *, micro_batch: int) -> GRPOConfig:
    """Return TRL's configuration for one run."""
    from trl import GRPOConfig

    options = grpo_options(rehearsal, micro_batch=micro_batch)
    return GRPOConfig(**options, trust_remote_code=False)


def grpo_options(rehearsal: Rehearsal, *, micro_batch: int) -> dict[str, Any]:
    """Return every field of `GRPOConfig` that can move a number or write a file."""
    recipe, settings = rehearsal.recipe, rehearsal.recipe.settings
    return {
        "output_dir": str(rehearsal.folder.checkpoints),
        "max_steps": rehearsal.steps.total * settings.updates_per_step,  # TRL counts updates
        "chat_template_kwargs": plan.template_options(recipe) or None,
        **_model(recipe, rehearsal.device),
        **_batch(settings, micro_batch, rehearsal.world.size),
        **_sampling(settings),
        **_vllm(recipe.local, settings),
        **_advantages(),
        **_loss(settings),
        **_optimizer(settings),
        **_precision(rehearsal.device),
        **_recomputing(settings),
        **_bookkeeping(recipe.local.reportTo),
    }


def _model(recipe: Recipe, device: Device) -> dict[str, Any]:
    """Its weights as loaded, and what is random about a run."""
    settings, dtype = recipe.settings, "float32"
    # For vLLM adapters are added to the frozen weights and taken off again at each step, which
    # would leave weights of bfloat16 rounded anew each time.
    if settings.training == "lora" and recipe.local.engine != "vllm":
        dtype = frozen_dtype(device.dtype)
    return {
        "model_init_kwargs": model_init_kwargs(dtype),
        "seed": settings.seed,
        "data_seed": settings.seed,
        "full_determinism": False,
        "disable_dropout": True,
        "neftune_noise_alpha": None,
    }


def _batch(settings: Settings, micro_batch: int, processes: int) -> dict[str, Any]:
    """One step = batch_size prompts x samples_per_prompt rollouts, cut into updates."""
    accumulation = settings.rollouts_per_update // (micro_batch * processes)
    return {
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": accumulation,
        "steps_per_generation": accumulation * settings.updates_per_step,
        "generation_batch_size": None,  # follows from the two above
        "num_generations": settings.samples_per_prompt,
        "num_iterations": 1,
        "auto_find_batch_size": False,
        "shuffle_dataset": settings.shuffle,
        "ignore_data_skip": False,
        "remove_unused_columns": False,
        "dataloader_drop_last": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "ddp_broadcast_buffers": False,  # none changes; passes may differ in number by process
    }


def _sampling(settings: Settings) -> dict[str, Any]:
    """What TRL samples with by vLLM; else `bedrock_rft_sim.engine.sampler` does it in its place."""
    return {
        "max_completion_length": settings.inference_max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "min_p": None,
        "repetition_penalty": 1.0,
        "generation_kwargs": None,
        "cache_implementation": None,
        "pad_to_multiple_of": None,
        "max_tool_calling_iterations": None,
        "use_transformers_continuous_batching": False,
        "use_transformers_paged": False,
    }


def _vllm(local: Local, settings: Settings) -> dict[str, Any]:
    """What samples in place of our engines where the recipe says so; TRL keeps it in step."""
    own, mode = local.vllm, local.vllm.importanceSampling
    is_corrected = mode != "off"
    return {
        "use_vllm": local.engine == "vllm",
        "vllm_mode": own.mode,
        "vllm_model_impl": "vllm",
        "vllm_structured_outputs_regex": None,
        "vllm_server_base_url": own.serverUrl,
        "vllm_server_timeout": SERVER_TIMEOUT_S,
        "vllm_group_port": 51216,
        "vllm_gpu_memory_utilization": own.gpuMemoryUtilization,
        "vllm_tensor_parallel_size": own.tensorParallelSize,
        "vllm_max_model_length": own.maxModelLength
        or settings.max_prompt_length + settings.inference_max_tokens,
        "vllm_enable_sleep_mode": own.sleep,
        "vllm_importance_sampling_correction": is_corrected,
        "vllm_importance_sampling_mode": mode if is_corrected else "sequence_mask",
        "vllm_importance_sampling_clip_max": 3.0,
        "vllm_importance_sampling_clip_min": None,
    }


def _advantages() -> dict[str, Any]:
    """Grades less their group's mean, over its standard deviation."""
    return {
        "scale_rewards": "group",
        "reward_weights": None,
        "multi_objective_aggregation": "sum_then_normalize",
    }


def _loss(settings: Settings) -> dict[str, Any]:
    """Clipped token-mean loss over the whole batch, plain k3 KL loss, nothing else."""
    return {
        "loss_type": "dapo",  # TRL's name for the token mean over the accumulated batch
        "importance_sampling_level": "token",
        "beta": settings.kl_coefficient,
        "use_bias_correction_kl": False,
        "epsilon": settings.clip_range,
        "epsilon_high": settings.clip_range,
        "delta": None,
        "off_policy_mask_threshold": None,
        "mask_truncated_completions": False,
        "sync_ref_model": False,
        "entropy_coef": 0.0,
        "use_adaptive_entropy": False,
        "top_entropy_quantile": 1.0,
        "router_aux_loss_coef": 0.0,
    }


def _optimizer(settings: Settings) -> dict[str, Any]:
    return {
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "lr_scheduler_kwargs": None,
        "warmup_steps": 0,
        "optim": "adamw_torch",
        "optim_args": None,
        "optim_target_modules": None,
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
        "tf32": None,  # torch's own: products of float32 are not rounded to it
        "cast_lm_head_to_fp32": False,
        "use_liger_kernel": False,
        "torch_compile": False,
    }


def _recomputing(settings: Settings) -> dict[str, Any]:
    """Whether layers keep their inputs alone; under its old and its new name, which must agree."""
    names = "gradient_checkpointing", "activation_checkpointing"
    return {
        **dict.fromkeys(names, settings.gradient_checkpointing),
        **{f"{name}_kwargs": {"use_reentrant": False} for name in names},
    }


def _bookkeeping(report_to: Sequence[str]) -> dict[str, Any]:
    """Log every update; checkpoints and validation are the recorder's to call."""
    of_trl = [name for name in report_to if name not in OWN_NAMES]
    return {
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_first_step": False,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "save_total_limit": None,
        "save_only_model": False,
        "load_best_model_at_end": False,
        "eval_strategy": "no",
        "eval_on_start": False,
        "push_to_hub": False,
        "report_to": of_trl or "none",
        "log_completions": False,
        "disable_tqdm": True,
    }
