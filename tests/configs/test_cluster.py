"""The accelerate configs that are shipped: accelerate reads them, and a run takes what they ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.train.world import demand_launcher

ROOT = Path(__file__).resolve().parents[2]
SETS = {
    "ddp": {},
    "fsdp2": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"},
    "fsdp2_two_nodes": {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"},
    "zero3": {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"},
}
"""What each file makes accelerate set for its processes, among other things."""
FILES = [ROOT / "configs" / "cluster" / f"{name}.yaml" for name in SETS]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_line_one_is_a_sentence_and_line_two_the_command(config: Path) -> None:
    sentence, command = config.read_text().splitlines()[:2]
    assert sentence.startswith("# ")
    assert sentence.endswith(".")
    start = f"# accelerate launch --config_file {config.relative_to(ROOT)} "
    assert command.startswith(start)
    assert "-m bedrock_rft_sim run RECIPE" in command


def test_accelerate_sets_what_a_run_takes(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    monkeypatch.setattr("bedrock_rft_sim.train.world.find_spec", bool)
    command = config.read_text().splitlines()[1].replace("FIRST", "127.0.0.1").split()[3:]
    words = [word.replace("RANK", "1") for word in command]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert arguments.num_processes == (16 if "two" in config.stem else 8)
    assert arguments.module
    if config.stem == "zero3":
        arguments.deepspeed_fields_from_accelerate_config = ""  # which launch itself adds
        _, environment = prepare_deepspeed_cmd_env(arguments)
    else:
        environment = prepare_multi_gpu_env(arguments)
    assert SETS[config.stem].items() <= environment.items()
    for name, value in environment.items():
        if name.startswith(("ACCELERATE_", "FSDP_")):
            monkeypatch.setenv(name, value)
    demand_launcher()
