"""The checks on simulated runs: few healthy ones are warned of, faults of a named size found.

`scripts/bench_diagnosis` holds the simulation and the full numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_diagnosis"


@pytest.mark.slow
def test_at_most_5_percent_of_healthy_runs_are_warned_of_and_80_of_faulty_ones() -> None:
    command = [sys.executable, str(SCRIPT), "--runs", "60", "--seed", "1", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = json.loads(done.stdout)
    assert found["alarms"] <= 0.05, found
    assert min(found["found"].values()) >= 0.80, found
    assert len(found["found"]) == 10
    assert done.returncode == 0
