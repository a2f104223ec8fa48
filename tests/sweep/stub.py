"""Stands in for `bedrock_rft_sim.sweep.child`: the same arguments, a run folder made up from its
recipe.

A validation prompt is graded 1 when its number is below the level that learning rate and batch
size give, so that the table has known numbers. With STUB_KILL_AT set it kills itself there once.
"""

import json
import os
import random
import re
import sys
import threading
import time
from pathlib import Path

PROMPTS = 40
STEPS = 20
EVERY = 5


def main() -> int:
    threading.Thread(target=end_with_the_sweep, daemon=True).start()
    recipe, parent, name, how = sys.argv[1:]
    text = Path(recipe).read_text()
    number = lambda key: float(re.search(rf"\b{key}: (\S+)", text)[1])  # noqa: E731
    rate, batch, seed = number("learningRate"), number("batchSize"), int(number("seed"))
    folder = Path(parent) / name
    if how == "new":
        (folder / "validation").mkdir(parents=True)
    with (folder.parent.parent / "stub.log").open("a") as log:
        log.write(f"{how} {name}\n")
    if batch == 66:
        os.kill(os.getpid(), 9)
    if batch == 77:
        record(folder, "Failed", error="the policy became non-finite at step 3")
        return 1
    if str(seed) == os.environ.get("STUB_FAIL_SEED"):
        sys.stderr.write("this seed fails, says the stub\n")
        return 1
    if batch == 78:
        sys.stderr.write("out of memory, says the stub\n")
        return 1
    record(folder, "In Progress")
    (folder / "metrics.jsonl").write_text("")
    for step in range(STEPS + 1):
        line = {"step": step, "total_steps": STEPS, "actor_entropy": 1.0}
        if step:
            line |= {"critic_rewards_mean": 0.5 + 0.01 * step, "critic_rewards_min": 0.0}
            line |= {"critic_rewards_max": 1.0}
        if step % EVERY == 0:
            right = round(20 + gain(rate, batch, seed) * step / STEPS)
            line["validation_rewards_mean"] = right / PROMPTS
            write_validation(folder, step, right)
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        time.sleep(float(os.environ.get("STUB_STEP_S", "0")))
    record(folder, "Completed", steps={"total": STEPS})
    return 0


def end_with_the_sweep() -> None:
    os.read(0, 1)
    os._exit(1)


def gain(rate: float, batch: float, seed: int) -> float:
    """In prompts: 0 at a low rate, 10 at 1e-4, -15 above 1e-3; a little more with more batch."""
    if rate <= 1e-6:
        return 0
    if rate > 1e-3:
        return -15
    chance = random.Random(f"{rate} {batch} {seed}").choice((-1, 0, 1))
    return 10 - abs(rate - 1e-4) * 5000 + (batch - 16) / 8 + chance


def record(folder: Path, status: str, **more: object) -> None:
    path = folder / "run.json"
    value = {"schema_version": 1, "name": folder.name, "status": status, **more}
    path.write_text(json.dumps(value))


def write_validation(folder: Path, step: int, right: int) -> None:
    fields = {"step": step, "sample": 0, "text": "", "tokens": [1], "stop_reason": "stop"}
    rest = {"components": [], "advantage": None, "entropy": None, "logprob": None, "kl": None}
    lines = [
        json.dumps({**fields, "prompt_id": f"p{at}", "grade": float(at < right), **rest})
        for at in range(PROMPTS)
    ]
    (folder / "validation" / f"step-{step:06d}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
