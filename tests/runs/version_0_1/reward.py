"""Grades any answer by its text, so that groups of an untrained model are mixed."""


def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": sum(map(ord, sample["messages"][-1]["content"])) % 4 / 3,
            "metrics_list": [{"name": "answer_found", "value": 1.0, "type": "Metric"}],
        }
        for sample in event
    ]
