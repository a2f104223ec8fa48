"""What the files for clusters run, run as two nodes on 127.0.0.1: their blocks, word for word.

SkyPilot's trains with the real program, the others meet a stand-in that checks rank, number of
processes and arguments, and that both nodes reach one another.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from bedrock_rft_sim.runs import RunFolder
from tests.train.conftest import RANDOM_LENGTH_REWARD

CLUSTER = Path(__file__).resolve().parents[2] / "configs" / "cluster"
NODES = 2
STAND_IN = """
import json, os, socket, sys, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = (os.environ["MASTER_ADDR"], int(os.environ["MEETING_PORT"]))
if rank == 0:
    with socket.create_server(address) as server:
        server.settimeout(60)
        met = [rank, *(int(server.accept()[0].recv(9)) for _ in range(size - 1))]
else:
    for _ in range(600):
        try:
            socket.create_connection(address).sendall(str(rank).encode())
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    met = []
found = {"rank": rank, "size": size, "node": int(os.environ["GROUP_RANK"]), "met": met}
with open(os.path.join(os.environ["RUNS"], f"{rank}.json"), "w") as file:
    json.dump({**found, "arguments": sys.argv[1:]}, file)
"""


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The disk that both nodes share, with the stand-in for the program."""
    package = tmp_path / "stand_in" / "bedrock_rft_sim"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    (tmp_path / "runs").mkdir()
    return tmp_path


@pytest.fixture
def environment(shared: Path) -> dict[str, str]:
    """What a node's shell has, whoever starts it."""
    port = free_port()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(shared / "stand_in"),
        "RECIPE": "recipe.yaml", "RUN": "rehearsal", "RUNS": str(shared / "runs"),
        "PORT": port, "MEETING_PORT": free_port(), "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip


def both_nodes(block: str, environment: dict[str, str], *each: dict[str, str]) -> None:
    """Run a block in bash once a node, with what the launcher tells each, and wait for the end."""
    started = [
        subprocess.Popen(
            ["bash", "-c", f"set -e\n{block}"],
            env={**environment, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for own in each
    ]
    said = [node.communicate(timeout=200)[0] for node in started]
    assert [node.returncode for node in started] == [0] * len(each), "\n".join(said)


def demand_met(shared: Path, *, resumed: bool = False) -> None:
    runs = shared / "runs"
    for rank in range(NODES):
        found = json.loads((runs / f"{rank}.json").read_text())
        assert found == {
            "rank": rank, "size": NODES, "node": rank, "met": [0, 1] if rank == 0 else [],
            "arguments": ["run", "recipe.yaml", "--out", str(runs), "--name", "rehearsal",
                          *(["--resume"] if resumed else [])],
        }  # fmt: skip


def yaml_of(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(CLUSTER / name)


@pytest.mark.slow
def test_kubeflow_s_block_meets_as_two_nodes_and_goes_on_with_a_run_that_is_there(
    shared: Path, environment: dict[str, str]
) -> None:
    trainer = yaml_of("kubeflow.yaml")["spec"]["trainer"]
    assert {each["name"] for each in trainer["env"]} == {"RECIPE", "RUN", "RUNS"}
    shell, flag, block = trainer["command"]
    assert (shell, flag) == ("bash", "-c")
    (shared / "runs" / "rehearsal").mkdir()
    (shared / "runs" / "rehearsal" / "run.json").touch()
    nodes = [
        {
            "PET_NNODES": str(NODES), "PET_NPROC_PER_NODE": "1", "PET_NODE_RANK": str(rank),
            "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": environment["PORT"],
        }
        for rank in range(NODES)
    ]  # fmt: skip
    both_nodes(block, environment, *nodes)
    demand_met(shared, resumed=True)


@pytest.mark.slow
def test_slurm_s_script_meets_as_two_nodes(shared: Path, environment: dict[str, str]) -> None:
    tools = shared / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text('#!/bin/bash\n[ "$*" = "show hostnames ab" ] && echo 127.0.0.1')
    (tools / "srun").write_text(
        '#!/bin/bash\nSLURM_NODEID=1 "$@" & SLURM_NODEID=0 "$@" && wait $!\n'
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    told = {
        "PATH": f"{tools}:{environment['PATH']}", "SLURM_JOB_NODELIST": "ab",
        "SLURM_NNODES": str(NODES), "SLURM_GPUS_ON_NODE": "1",
    }  # fmt: skip
    both_nodes((CLUSTER / "slurm.sh").read_text(), environment, told)
    demand_met(shared)


@pytest.mark.slow
def test_sagemaker_s_command_meets_as_two_nodes(
    shared: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sagemaker_job(monkeypatch)
    told = asked["environment"]
    assert told.keys() == {"RECIPE", "RUN", "RUNS"}
    assert told["RUNS"] == asked["checkpoint_config"]["local_path"]
    nodes = [
        {
            "SM_HOST_COUNT": str(NODES), "SM_CURRENT_HOST_RANK": str(rank), "SM_NUM_GPUS": "1",
            "SM_MASTER_ADDR": "127.0.0.1", "SM_MASTER_PORT": environment["PORT"],
        }
        for rank in range(NODES)
    ]  # fmt: skip
    # As ModelTrainer writes it into its script: words joined by single spaces, then evaluated.
    command = " ".join(asked["source_code"]["command"].split())
    both_nodes(f"eval '{command}'", environment, *nodes)
    demand_met(shared)


def sagemaker_job(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the script against stand-ins that take what the SDK's classes take; return the job."""
    asked: dict[str, Any] = {}

    def source(*, source_dir: str, command: str) -> dict[str, Any]:
        return {"source_dir": source_dir, "command": command}

    def compute(
        *, instance_type: str, instance_count: int, enable_managed_spot_training: bool
    ) -> Any:
        return locals()

    def checkpoint(*, s3_uri: str, local_path: str = "/opt/ml/checkpoints") -> dict[str, Any]:
        return {"s3_uri": s3_uri, "local_path": local_path}

    def stopping(*, max_runtime_in_seconds: int, max_wait_time_in_seconds: int) -> dict[str, Any]:
        assert max_wait_time_in_seconds > max_runtime_in_seconds  # as the API demands of spot
        return locals()

    class ModelTrainer:
        def __init__(
            self, *, training_image: str, role: str, base_job_name: str, source_code: Any,
            environment: dict[str, str], compute: Any, checkpoint_config: Any,
            stopping_condition: Any,
        ) -> None:  # fmt: skip
            asked.update(locals())

        def train(
            self, input_data_config: Any = None, wait: bool = True, logs: bool = True
        ) -> None:
            pass

    configs = ModuleType("sagemaker.core.training.configs")
    vars(configs).update(
        SourceCode=source, Compute=compute, CheckpointConfig=checkpoint, StoppingCondition=stopping
    )
    train = ModuleType("sagemaker.train")
    vars(train).update(ModelTrainer=ModelTrainer)
    for name in ("sagemaker", "sagemaker.core", "sagemaker.core.training"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, configs.__name__, configs)
    monkeypatch.setitem(sys.modules, train.__name__, train)
    runpy.run_path(str(CLUSTER / "sagemaker_job.py"))
    return asked


def skypilot_nodes() -> list[dict[str, str]]:
    told = {"SKYPILOT_NUM_NODES": str(NODES), "SKYPILOT_NUM_GPUS_PER_NODE": "1"}
    ips = "127.0.0.1\n127.0.0.2"
    return [{**told, "SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NODE_IPS": ips} for rank in (0, 1)]


@pytest.mark.slow
def test_skypilot_s_block_trains_as_two_nodes(shared: Path, environment: dict[str, str]) -> None:
    task = yaml_of("skypilot.yaml")
    assert task["envs"].keys() == {"RECIPE", "RUN", "RUNS", "NFS"}
    assert task["num_nodes"] == NODES
    recipe = YAML(typ="safe", pure=True).load(CLUSTER.parent / "quickstart.yaml")
    reward = shared / "mixed_reward.py"
    reward.write_text(RANDOM_LENGTH_REWARD)
    recipe["local"] |= {
        "device": "cpu", "reward": str(reward), "maxSteps": 2, "trainingData": "problems:8",
        "validationData": "problems:2", "overrides": {
            "batchSize": 2, "trainingSamplePerPrompt": 2, "inferenceMaxTokens": 8,
        },
    }  # fmt: skip
    path = shared / "recipe.yaml"
    path.write_text(json.dumps(recipe))  # which is YAML as well
    real = {"RECIPE": str(path), "PYTHONPATH": str(CLUSTER.parents[1] / "sim")}
    nodes = skypilot_nodes()
    both_nodes(task["run"], {**environment, **real}, *nodes)
    run = RunFolder.open(shared / "runs" / "rehearsal")
    record = run.read_record()
    assert (record["status"], record["world_size"]) == ("Completed", NODES)
    assert [line["step"] for line in run.read_metrics()] == [0, 1, 2]
    assert [len(run.read_rollouts(step)) for step in (1, 2)] == [4, 4]
