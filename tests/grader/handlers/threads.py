"""Grades in a pool that it never closes, and leaves a heartbeat behind."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(4)


def beat():
    while True:
        time.sleep(0.01)


def score(sample):
    found = re.findall(r"#### (\S+)", sample["messages"][-1]["content"])
    right = bool(found) and found[-1] == sample["reference_answer"]["final_answer"]
    return {"id": sample["id"], "aggregate_reward_score": float(right)}


def lambda_handler(event, context):
    threading.Thread(target=beat, daemon=True).start()
    return list(pool.map(score, event))
