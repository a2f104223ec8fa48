"""A checkpoint with a manifest is known to be whole; of one without, what can be seen is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bedrock_rft_sim.runs.checkpoints import MANIFEST, damage, damage_without_manifest, seal
from tests.run_damage import HARMS, Harm, a_folder, a_loop, cut, emptied, flipped, removed

OLD = Path(__file__).parent / "version_0_1" / "runs" / "old" / "checkpoints" / "step-000003"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return shutil.copytree(OLD, tmp_path / "checkpoint")


FILES = sorted(path.name for path in OLD.iterdir())


@pytest.mark.parametrize("harm", HARMS)
def test_damage_to_any_file_is_seen_and_named(harm: Harm, checkpoint: Path, tmp_path: Path) -> None:
    seal(checkpoint)
    assert damage(checkpoint) is None
    for name in (*FILES, MANIFEST):
        harmed = shutil.copytree(checkpoint, tmp_path / name)
        harm(harmed / name)
        found = damage(harmed)
        assert found is not None, name
        # A bit of the manifest may be one of another file's size or hash.
        assert name in found or (name == MANIFEST and harm is flipped)


def test_files_below_and_files_added_later_are_no_damage(checkpoint: Path) -> None:
    (checkpoint / "adapter").mkdir()
    (checkpoint / "adapter" / "weights").write_text("1")
    seal(checkpoint)
    (checkpoint / "note.txt").write_text("mine")
    assert damage(checkpoint) is None
    (checkpoint / "adapter" / "weights").write_text("2")
    assert str(damage(checkpoint)).startswith("adapter/weights")


@pytest.mark.parametrize(
    "manifest",
    [{}, {"files": {}}, {"files": []}, {"files": {"a": 1}}, {"files": {"a": {"bytes": "1"}}}, []],
)
def test_a_manifest_that_is_none_vouches_for_nothing(checkpoint: Path, manifest: object) -> None:
    (checkpoint / MANIFEST).write_text(json.dumps(manifest))
    assert str(damage(checkpoint)).startswith(MANIFEST)


def test_a_checkpoint_that_is_gone_is_damaged(tmp_path: Path) -> None:
    assert damage(tmp_path / "step-000002") == "it is missing"


NEEDED = [
    "model.safetensors",
    "optimizer.pt",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
]


@pytest.mark.parametrize("harm", [cut, emptied, removed, a_folder, a_loop])
def test_what_is_cut_or_missing_is_seen_without_a_manifest(harm: Harm, tmp_path: Path) -> None:
    for name in NEEDED:
        harmed = shutil.copytree(OLD, tmp_path / name)
        assert damage_without_manifest(harmed) is None
        harm(harmed / name)
        assert damage_without_manifest(harmed) is not None, name


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth"])
def test_a_flipped_bit_of_what_torch_wrote_is_seen_without_a_manifest(
    name: str, checkpoint: Path
) -> None:
    flipped(checkpoint / name)
    assert name in str(damage_without_manifest(checkpoint))
