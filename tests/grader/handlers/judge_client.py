"""A client made at import, dataclasses for results, components beside the score."""

import json
import logging
import re
from dataclasses import asdict, dataclass, field

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)
bedrock = boto3.client("bedrock-runtime", region_name="us-west-2")


@dataclass
class MetricResult:
    name: str
    value: float
    type: str


@dataclass
class RewardOutput:
    id: str
    aggregate_reward_score: float
    metrics_list: list[MetricResult] = field(default_factory=list)


def compute(answer: str, truth: str) -> dict[str, float]:
    found = re.findall(r"#### (-?[0-9.,]+)", answer)
    right = bool(found) and found[-1].replace(",", "") == truth
    return {"correctness": float(right), "format": float(bool(found))}


def lambda_handler(event, context):
    logger.info("grading %s samples with %s", len(event), bedrock.meta.region_name)
    outputs = []
    for sample in event:
        reference = sample.get("metadata", {}).get("reference_answer") or sample["reference_answer"]
        truth = reference["final_answer"] if isinstance(reference, dict) else reference
        parts = compute(sample["messages"][-1]["content"], truth.rpartition("####")[2].strip())
        metrics = [MetricResult(name, value, "Reward") for name, value in parts.items()]
        output = asdict(RewardOutput(sample["id"], parts["correctness"], metrics))
        output["reward_components"] = parts
        output["score"] = parts["correctness"]
        outputs.append(output)
        logger.info(json.dumps(output))
    return outputs
