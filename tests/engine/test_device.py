"""How much of a batch is trained at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import (
    ModelShape,
    bytes_of_pass,
    choose_device,
    micro_batch,
    pass_bytes,
    total_memory_bytes,
    visible_gpus,
)
from bedrock_rft_sim.errors import RecipeError


@given(rollouts=st.integers(1, 4096), each=st.integers(1, 10**9), room=st.integers(0, 10**12))
def test_a_micro_batch_divides_the_batch(rollouts: int, each: int, room: int) -> None:
    size = micro_batch(rollouts, bytes_of=each.__mul__, room=room)
    assert rollouts % size == 0
    assert size == 1 or size * each <= room


def test_all_rollouts_go_at_once_where_memory_allows() -> None:
    assert micro_batch(128, bytes_of=int, room=10**9) == 128


def test_little_memory_makes_small_micro_batches() -> None:
    each = bytes_of_pass(ModelShape(layers=28, hidden=1024, vocabulary=151_936), 1024)
    assert micro_batch(32, bytes_of=each.__mul__, room=4 * each) == 4


def test_a_device_that_is_not_here_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RecipeError, match=r"local.device.*\n.*expected: cuda"):
        choose_device("cuda", "auto")


def test_the_cpu_computes_in_float32_unless_told_otherwise() -> None:
    assert choose_device("cpu", "auto").dtype == "float32"
    assert choose_device("cpu", "bfloat16").dtype == "bfloat16"


def test_a_second_gpu_is_a_gpu_too_and_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the GPU {device}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7, 9))
    found = choose_device("cuda:1", "auto")
    assert (found.type, found.dtype, found.free_bytes) == ("cuda:1", "bfloat16", 7)
    assert found.name == "the GPU cuda:1"


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_float16_without_a_gpu_is_refused_since_the_trainer_passes_over_it(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RecipeError, match="float16 needs a CUDA device"):
        choose_device(device, "float16")
    assert choose_device(device, "bfloat16").dtype == "bfloat16"


def test_a_pass_takes_half_of_what_is_free_and_on_a_cpu_no_more_than_is_quick() -> None:
    assert pass_bytes(10**9, is_gpu=True) == pass_bytes(10**9, is_gpu=False) == 5 * 10**8
    assert pass_bytes(2**36, is_gpu=True) == 2**35
    assert pass_bytes(2**36, is_gpu=False) == 2**32


def test_a_pass_takes_what_the_recipe_states() -> None:
    assert pass_bytes(2**36, is_gpu=False, stated_mb=6144) == 6 * 2**30


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("0,2", ["0", "2"]),
        ("GPU-8a56,MIG-1b", ["GPU-8a56", "MIG-1b"]),
        ("1,-1,2", ["1"]),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_gpus_are_those_that_the_environment_leaves_visible(
    stated: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", stated)
    assert visible_gpus() == found


def test_without_a_word_on_gpus_nvidia_smi_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n[ $1 = --query-gpu=uuid ] && printf 'GPU-a\\nGPU-b\\n'\n")
    program.chmod(0o755)
    assert visible_gpus() == ["GPU-a", "GPU-b"]
    program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    assert visible_gpus() == []


def test_processes_of_a_launcher_share_memory_and_see_every_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = total_memory_bytes("cpu")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # so that it is put back
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert total_memory_bytes("cpu") == whole // 2
    quiet.silence_libraries(offline=True)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
