"""The checks of botocore's shapes that stand apart from any one request."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from bedrock_rft_sim.recipe.dialects.service_model import input_shape, quick

IDENTIFIER = input_shape("bedrock", "GetModelCustomizationJob").members["jobIdentifier"]
NAME = input_shape("bedrock", "CreateModelCustomizationJob").members["jobName"]


@given(st.text("aZ0+-.!:", max_size=9))
@example("a-")
@example("a--b")
def test_the_quick_pattern_accepts_the_same_strings(text):
    for shape in (IDENTIFIER, NAME):
        pattern = shape.metadata["pattern"]
        assert quick(pattern) != pattern
        assert bool(re.fullmatch(quick(pattern), text)) == bool(re.fullmatch(pattern, text))
