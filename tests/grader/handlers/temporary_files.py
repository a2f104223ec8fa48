"""Writes the event to /tmp, the only place Lambda lets it write, and reads it back."""

import json
import re
from pathlib import Path


def lambda_handler(event, context):
    path = Path(f"/tmp/event-{context.aws_request_id}.json")
    path.write_text(json.dumps(event), encoding="utf-8")
    samples = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    results = []
    for sample in samples:
        if context.get_remaining_time_in_millis() < 100:
            raise TimeoutError("too little time left to grade")
        found = re.findall(r"#### (\S+)", sample["messages"][-1]["content"])
        right = bool(found) and found[-1] == sample["reference_answer"]["final_answer"]
        results.append({"id": sample["id"], "aggregate_reward_score": float(right)})
    return results
