"""Names, partial ARNs and ARNs of functions."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function, new_function

LETTERS = string.ascii_letters + string.digits + "_-"
NAMES = st.text(LETTERS, min_size=1, max_size=64).filter(lambda one: one != "function")
REGIONS = st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True)
QUALIFIERS = st.none() | st.just("$LATEST") | st.text(LETTERS, min_size=1, max_size=128)


@given(NAMES, REGIONS, QUALIFIERS)
def test_an_arn_leads_back_to_its_function(name: str, region: str, qualifier: str | None) -> None:
    function = FunctionId(region, name)
    arn = function.arn + (f":{qualifier}" if qualifier else "")
    for asked in (None, region):
        assert find_function(arn, region=asked) == (function, qualifier)


def test_a_name_means_the_function_of_the_region_that_is_asked() -> None:
    for reference in ("a:live", "123456789012:function:a:live", "function:a:live"):
        found = find_function(reference, region="us-west-2")
        assert found == (FunctionId("us-west-2", "a"), "live")
    with pytest.raises(AwsError, match="InvalidParameterValueException"):
        find_function("a", region=None)


def test_an_arn_of_another_region_is_out_of_reach() -> None:
    arn = FunctionId("us-east-1", "a").arn
    with pytest.raises(AwsError, match=r"'us-east-1' are not reachable .* \('us-west-2'\)"):
        find_function(arn, region="us-west-2")


@pytest.mark.parametrize("region", ["", "../x", "a" * 33, "US", "a@b"])
def test_a_region_that_would_lead_elsewhere_makes_no_function(region: str) -> None:
    with pytest.raises(AwsError, match="no Region"):
        new_function("a", region=region)
