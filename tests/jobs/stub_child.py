"""A run without a model: writes a run folder step by step, stops on SIGINT, resumes.

Arguments: parent folder, name, steps, seconds per step; then `--resume` if it is to go on.
Every start is one line in `starts-<name>` beside the folder.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

stopped = False


def stop(*_: object) -> None:
    global stopped
    stopped = True


# Before the imports, which can swallow a KeyboardInterrupt that comes while they run.
signal.signal(signal.SIGINT, stop)

from bedrock_rft_sim.contract.events import message_event, metrics_event  # noqa: E402
from bedrock_rft_sim.runs import RunFolder  # noqa: E402


def line(step: int, total: int) -> dict[str, object]:
    return {
        "step": step,
        "total_steps": total,
        "critic_rewards_mean": step / total,
        "response_length_mean": 10.0,
        "actor_entropy": 1.0,
        "actor_grad_norm": 0.5,
        "actor_pg_loss": 0.1,
        "critic_advantages_mean": 0.0,
        "validation_rewards_mean": step / total,
    }


def main() -> None:
    parent, name, total, pause = sys.argv[1:5]
    resume = sys.argv[5:] == ["--resume"]
    with (Path(parent) / f"starts-{name}").open("a") as file:
        file.write(f"{os.getpid()} {'resume' if resume else 'new'}\n")
    path = Path(parent) / name
    with RunFolder.open(path, write=True) if resume else RunFolder.create(parent, name) as folder:
        folder.write_record(status="InProgress", error=None)
        if not resume:
            folder.append_event(message_event("Job started"))
        done = [metrics["step"] for metrics in folder.read_metrics()]
        for step in range(len(done) + 1, int(total) + 1):
            time.sleep(float(pause))
            values = line(step, int(total))
            folder.append_metrics(values)
            folder.append_event(metrics_event(values))
            folder.append_csv({"step_number": step, "train_reward_mean": step / int(total)})
            checkpoint = folder.checkpoint(step)
            checkpoint.mkdir(parents=True)
            if stopped:
                folder.write_record(status="Stopped")
                return
        folder.model.mkdir(exist_ok=True)
        (folder.model / "config.json").write_text("{}")
        folder.write_record(status="Completed")


if __name__ == "__main__":
    main()
