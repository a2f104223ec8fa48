"""Takes a list, an object with `trajectories`, or one object, whichever comes."""

import re


def lambda_handler(event, context):
    if isinstance(event, dict):
        event = event.get("trajectories", [event])
    results = []
    for index, sample in enumerate(event):
        sample_id = sample.get("id") or sample.get("task_id") or f"unknown-{index}"
        reference = sample.get("reference_answer", {})
        answer = next(
            (
                message.get("content", "")
                for message in reversed(sample.get("messages", []))
                if message.get("role") in ("assistant", "nova_assistant")
            ),
            "",
        )
        found = re.findall(r"#### (\S+)", answer)
        right = bool(found) and found[-1] == reference.get("final_answer")
        results.append({"id": sample_id, "aggregate_reward_score": 1.0 if right else 0.0})
    return results
