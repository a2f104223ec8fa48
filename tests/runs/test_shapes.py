"""What fits the shapes of a run's files, and how the place of what does not is named."""

from __future__ import annotations

from typing import Any

import pytest

from bedrock_rft_sim.runs.shapes import NUMBER, RECORD, RESOLVED, ROLLOUT, Each, misfit

ENTRY = {"value": None, "origin": "stated", "source": "x"}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({}, RECORD),
        ({"seed": None, "versions": {"torch": None}}, RECORD),
        ({"settings": {"a": ENTRY}, "local": None}, RESOLVED),
        ({"advantage": None, "tokens": [1, 2], "grade": 1}, ROLLOUT),
    ],
)
def test_what_is_absent_or_null_fits_where_a_run_may_lack_it(value: Any, shape: Any) -> None:
    assert misfit(value, shape) is None


@pytest.mark.parametrize(
    ("value", "shape", "found"),
    [
        ({"settings": {"a": None}}, RESOLVED, "settings.a is None, not an object"),
        ({"local": {"a": {"value": 1}}}, RESOLVED, "local.a lacks origin, source"),
        ({"local": {"a": {**ENTRY, "origin": None}}}, RESOLVED, "local.a.origin is None, not text"),
        ({"steps": {"checkpoints": [2, None]}}, RECORD, "steps.checkpoints.1 is None"),
        ({"seed": True}, RECORD, "seed is True, not a whole number"),
        ({"seed": 10**400}, RECORD, "seed is 1000"),
        ({"grade": float("nan")}, ROLLOUT, "grade is nan, not a number"),
        ({"a": float("inf")}, Each(NUMBER), "a is inf"),
        ([], RECORD, "it is [], not an object"),
    ],
)
def test_what_has_another_shape_is_named_with_its_place(value: Any, shape: Any, found: str) -> None:
    assert str(misfit(value, shape)).startswith(found)
