"""Leaves the process where it should have raised."""

import re
import sys


def lambda_handler(event, context):
    results = []
    for sample in event:
        answer = sample["messages"][-1]["content"]
        if not answer.strip():
            print("nothing to grade", file=sys.stderr)
            sys.exit(1)
        found = re.findall(r"#### (\S+)", answer)
        right = bool(found) and found[-1] == sample["reference_answer"]["final_answer"]
        results.append({"id": sample["id"], "aggregate_reward_score": float(right)})
    return results
