"""Whose memory the rehearsal will fill, asked of a stand-in for nvidia-smi."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, MAIN_MEMORY, free_memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an nvidia-smi on the path: GPU 0 has 100 MB free, 1 has 200, and there is no other."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\ncase $1 in --id=0) echo 100;; --id=1) echo 200;; *) exit 6;; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    return tool


@pytest.mark.parametrize(
    ("device", "visible", "megabytes"),
    [
        ("auto", None, 100),
        ("cuda", None, 100),
        ("cuda:1", None, 200),
        ("auto", "1,0", 200),
        ("cuda:1", "1,0", 100),
        ("cuda", "7", None),
        ("cuda", "", None),
        ("cuda:1", "0", None),
    ],
)
def test_a_gpu_s_free_memory_is_that_of_the_one_torch_would_take(
    device: str,
    visible: str | None,
    megabytes: int | None,
    smi: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = free_memory(device)
    assert found.place == GPU_MEMORY
    assert found.bytes == (None if megabytes is None else megabytes * 2**20)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_other_devices_fill_main_memory(device: str, smi: Path) -> None:
    found = free_memory(device)
    assert found.place == MAIN_MEMORY
    assert found.bytes is not None
    assert found.bytes != 100 * 2**20


def test_a_torch_for_processors_alone_fills_main_memory_beside_any_gpu(
    smi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    assert free_memory("auto").place == MAIN_MEMORY


@pytest.mark.parametrize("body", ["exit 9", "echo '[N/A]'", "echo"])
def test_a_driver_that_gives_no_number_leaves_a_gpu_unknown(body: str, smi: Path) -> None:
    smi.write_text(f"#!/bin/sh\n{body}\n")
    assert free_memory("cuda").bytes is None
    assert free_memory("auto").place == MAIN_MEMORY


def test_without_nvidia_smi_a_gpu_s_memory_is_not_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert free_memory("cuda").bytes is None
    assert free_memory("auto").place == MAIN_MEMORY
