"""Writes the event to /tmp, the only place Lambda lets it write, and reads it back."""

import json
import os
import re


def lambda_handler(event, context):
    path = f"/tmp/event-{context.aws_request_id}.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(event, file)
    with open(path, encoding="utf-8") as file:
        samples = json.load(file)
    os.remove(path)
    results = []
    for sample in samples:
        if context.get_remaining_time_in_millis() < 100:
            raise TimeoutError("too little time left to grade")
        found = re.findall(r"#### (\S+)", sample["messages"][-1]["content"])
        right = bool(found) and found[-1] == sample["reference_answer"]["final_answer"]
        results.append({"id": sample["id"], "aggregate_reward_score": float(right)})
    return results
