"""The built wheel, away from the checkout: recipes, rewards and the model come with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the wheel installs."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    builder = WheelBuilder(str(ROOT))
    wheel = next(builder.build(directory=str(folder), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_recipes_rewards_model_and_page(installed: Path) -> None:
    for name in (
        "bedrock_rft_sim/configs/quickstart.yaml",
        "bedrock_rft_sim/assets/tiny/model.safetensors",
        "bedrock_rft_sim/report/page.html.jinja",
        "bedrock_rft_sim/report/page.css",
        "bedrock_rft_sim/report/page.js",
        "bedrock_rft_sim/grader/lambda_stand_in.py",
        "bedrock_rft_sim/rewards/gsm8k.py",
    ):
        assert (installed / name).is_file(), name
    assert not list(installed.glob("tests*"))


def test_a_bare_name_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bedrock_rft_sim", "check", "quickstart", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert found["steps"]["total"] > 0
