"""Prints every event, to both streams, and far too much of it."""

import json
import re
import sys
import warnings


def lambda_handler(event, context):
    print("Received event: " + json.dumps(event, indent=2))
    results = []
    for sample in event:
        for line in range(500):
            print(f"[DEBUG] {sample['id']} {line} " + "." * 200)
        sys.stderr.write("Traceback (most recent call last):\n  not really\n")
        warnings.warn("nobody reads this", stacklevel=1)
        found = re.findall(r"#### (\S+)", sample["messages"][-1]["content"])
        right = bool(found) and found[-1] == sample["reference_answer"]["final_answer"]
        results.append({"id": sample["id"], "aggregate_reward_score": float(right)})
    sys.stdout.flush()
    return results
