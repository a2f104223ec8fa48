"""A training that trains nothing: three steps, two checkpoints and a model, all the embedded one.

Arguments: parent folder, name, what to do after the second step: `end`, `wait` or `fail`.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

from bedrock_rft_sim.contract.events import message_event, metrics_event
from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER
from bedrock_rft_sim.runs import RunFolder

STEPS = 3
stopped = False


def stop(*_: object) -> None:
    global stopped
    stopped = True


def line(step: int) -> dict[str, object]:
    return {
        "step": step,
        "total_steps": STEPS,
        "critic_rewards_mean": step / 4,
        "response_length_mean": 10.0,
        "local_tokens": 320,
        "actor_entropy": 1.0,
        "actor_grad_norm": 0.5,
        "actor_pg_loss": 0.1,
        "critic_advantages_mean": 0.0,
        "validation_rewards_mean": step / 4,
    }


def main() -> None:
    parent, name, then = sys.argv[1:4]
    signal.signal(signal.SIGINT, stop)
    with RunFolder.create(Path(parent), name) as folder:
        folder.append_event(message_event("Job started", created_at=1))
        for step in range(1, STEPS + 1):
            folder.append_metrics(line(step))
            folder.append_event(metrics_event(line(step), created_at=step + 1))
            if step > 1:
                shutil.copytree(EMBEDDED_FOLDER, folder.checkpoint(step))
            if step == 2 and then == "fail":
                folder.write_record(status="Failed", error="the reward handler failed")
                return
            while step == 2 and then == "wait" and not stopped:
                time.sleep(0.01)
            if stopped:
                folder.write_record(status="Stopped")
                return
        shutil.copytree(EMBEDDED_FOLDER, folder.model)
        folder.write_record(status="Completed")


if __name__ == "__main__":
    main()
