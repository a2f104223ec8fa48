"""A small submission: the quickstart's request with a hundred rows, prepared once."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

from bedrock_rft_sim.cloud.names import function_arn, role_arn
from bedrock_rft_sim.cloud.prepared import Prepared, prepare
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.recipe import load_recipe
from tests.cloud.fake_aws import FakeAws

SETS = ("local.trainingData=problems:100",)


@cache
def submission(*sets: str) -> Prepared:
    """Return what this machine knows of the quickstart, with changes that leave reward and data."""
    recipe = load_recipe("quickstart", sets=[*SETS, *sets])
    if not sets:
        return prepare(recipe, plan.source_rows(recipe, "train"))
    role, function = role_arn(recipe.request["roleArn"]), function_arn(recipe.grader_arn)
    return replace(submission(), recipe=recipe, role=role, function=function)


def fake_aws(prepared: Prepared) -> FakeAws:
    """Return an account whose function grades as the local one does."""
    return FakeAws(grade=lambda event: graded(prepared, event))


def graded(prepared: Prepared, event: bytes, **changes: Any) -> bytes:
    """Return the local grades of an event as a handler answers; `changes` are by sample id."""
    case = next(each for each in prepared.cases if each.event == event)
    assert not isinstance(case.here, str)
    results = [
        {
            "id": grade.id,
            "aggregate_reward_score": changes.get(grade.id, grade.score),
            "metrics_list": [
                {"name": part.name, "value": part.value, "type": part.type}
                for part in grade.components
            ],
        }
        for grade in case.here
    ]
    return json.dumps(results).encode()
