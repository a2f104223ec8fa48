"""TRL's configuration: nothing that moves a number is left to a default of TRL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.record import Rehearsal

UNREAD_WHILE: Mapping[tuple[str, Any], str] = {
    ("use_transformers_continuous_batching", False): "transformers_continuous_batching_config",
    ("loss_type", "dapo"): """
        sapo_temperature_neg sapo_temperature_pos
        vespo_k_pos vespo_lambda_pos vespo_k_neg vespo_lambda_neg""",
    ("sync_ref_model", False): "ref_model_mixup_alpha ref_model_sync_steps",
    ("use_adaptive_entropy", False): """
        entropy_coef_min entropy_coef_max entropy_coef_delta entropy_target""",
    ("log_completions", False): """
        log_multimodal num_completions_to_print log_unique_prompts log_completions_hub_repo""",
    ("use_liger_kernel", False): "liger_kernel_config",
    ("torch_compile", False): "torch_compile_backend torch_compile_mode",
    ("dataloader_num_workers", 0): """
        dataloader_persistent_workers dataloader_prefetch_factor dataloader_in_order
        dataloader_multiprocessing_context""",
    ("save_strategy", "no"): "save_steps enable_jit_checkpoint",
    ("load_best_model_at_end", False): "metric_for_best_model greater_is_better",
    ("push_to_hub", False): """
        hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision""",
    ("eval_strategy", "no"): """
        eval_steps eval_delay per_device_eval_batch_size prediction_loss_only bf16_full_eval
        fp16_full_eval eval_do_concat_batches eval_use_gather_object eval_accumulation_steps
        include_for_metrics batch_eval_metrics num_generations_eval label_names""",
}
"""What TRL and transformers don't look at, because of what is set."""

WITHOUT_EFFECT: Mapping[str, str] = {
    "max_steps decides": "num_train_epochs",
    "TRL's sampler and loss stand in for what would read it": """
        train_sampling_strategy length_column_name label_smoothing_factor
        average_tokens_across_devices""",
    "the server's URL decides, or it is deprecated": """
        vllm_server_host vllm_server_port vllm_importance_sampling_cap""",
    "one process": """
        local_rank ddp_find_unused_parameters ddp_bucket_cap_mb
        ddp_static_graph ddp_backend ddp_timeout ds3_gather_for_generation fsdp fsdp_config
        deepspeed accelerator_config parallelism_config log_on_each_node log_level_replica
        save_on_each_node""",
    "words, names and counters only": """
        log_level run_name project trackio_space_id trackio_bucket_id trackio_static_space_id
        include_num_input_tokens_seen skip_memory_metrics""",
    "asks for what is not wanted, or a command line would read it": """
        debug torch_empty_cache_steps do_train do_eval do_predict resume_from_checkpoint
        restore_callback_states_from_checkpoint""",
    "refused where the configuration is made": "trust_remote_code",
    "of generation, which the sampler does": "use_cache",
}
"""What can't move a number here, by the reason."""


def inert() -> set[str]:
    return {name for names in (*UNREAD_WHILE.values(), *WITHOUT_EFFECT.values()) for name in
            names.split()}  # fmt: skip


def unaccounted(options: Iterable[str], config: type | None = None) -> list[str]:
    """Return the fields that are neither set nor known to be without effect."""
    from trl import GRPOConfig

    known = {*options} | inert()
    return sorted(each.name for each in fields(config or GRPOConfig) if each.name not in known)


@pytest.fixture
def options(recipe_for: Callable[..., Recipe], tmp_path: Path) -> dict[str, Any]:
    quiet.silence_libraries(offline=True)
    from bedrock_rft_sim.train.settings import grpo_options

    recipe = recipe_for()
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=True)
    device = Device("cpu", "", "float32", 2**33)
    with RunFolder.create(tmp_path, "settings") as folder:
        return grpo_options(Rehearsal(recipe, data, steps, folder, device, print), micro_batch=4)


def test_the_processes_of_a_launcher_share_what_is_accumulated(
    recipe_for: Callable[..., Recipe],
) -> None:
    from bedrock_rft_sim.train.settings import _batch

    settings = recipe_for().settings  # 4 prompts x 4 answers
    assert [
        (shared["gradient_accumulation_steps"], shared["steps_per_generation"])
        for shared in (_batch(settings, 2, processes) for processes in (1, 2, 4))
    ] == [(8, 8), (4, 4), (2, 2)]


def test_every_field_is_set_or_has_no_effect_for_a_reason(options: dict[str, Any]) -> None:
    from trl import GRPOConfig

    assert unaccounted(options) == []
    assert inert() & options.keys() == set()
    assert inert() | options.keys() == {each.name for each in fields(GRPOConfig)}
    for (name, value), unread in UNREAD_WHILE.items():
        assert options[name] == value, f"{name} would wake {unread}"


def test_each_line_taken_out_of_the_settings_is_noticed(options: dict[str, Any]) -> None:
    for name in options:
        assert unaccounted(options.keys() - {name}) == [name]


def test_a_new_field_of_a_later_trl_is_named(options: dict[str, Any]) -> None:
    from trl import GRPOConfig

    @dataclass
    class LaterConfig(GRPOConfig):
        surprise: float = 1.0

    assert unaccounted(options, LaterConfig) == ["surprise"]


def test_trl_takes_every_value_as_it_was_written(options: dict[str, Any]) -> None:
    """A field that TRL would overwrite or derive is not decided by its line."""
    from trl import GRPOConfig

    config = GRPOConfig(**options)
    derived = {"generation_batch_size": 16, "report_to": []}
    for name, value in {**options, **derived}.items():
        assert getattr(config, name) == value, name


def test_the_divergence_is_verl_s_and_experts_are_balanced_by_no_loss(
    options: dict[str, Any],
) -> None:
    """TRL's default weights k3 by the probability ratio, which changes its gradient."""
    assert options["use_bias_correction_kl"] is False
    assert options["router_aux_loss_coef"] == 0.0
