from __future__ import annotations

import pytest

from bedrock_rft_sim.contract.lambda_variables import BYTES_MAX, fault_of_variables


@pytest.mark.parametrize(
    "variables",
    [{}, {"MODE": "strict"}, {"aB_9": ""}, {"A1": "é" * 2000}, {"PATH": "/opt", "TZ": "UTC"}],
)
def test_what_lambda_takes_passes(variables: dict[str, str]) -> None:
    assert fault_of_variables(variables) is None


@pytest.mark.parametrize(
    ("variables", "what", "found"),
    [
        ({"AWS_REGION": "x", "_HANDLER": "y"}, "that Lambda reserves", "AWS_REGION, _HANDLER"),
        ({"AWS_ACCESS_KEY_ID": "secret"}, "that Lambda reserves", "AWS_ACCESS_KEY_ID"),
        ({"A": "x"}, "variable's name", "'A'"),
        ({"1A": "x"}, "variable's name", "'1A'"),
        ({"MY-MODE": "x"}, "variable's name", "'MY-MODE'"),
        ({"MODE\n": "x"}, "variable's name", "'MODE\\n'"),
        ({"ÉA": "x"}, "variable's name", "'ÉA'"),
        ({"": "x"}, "variable's name", "''"),
        ({"MODE": "se\0cret"}, "value can't be set", "the value of MODE"),
        ({"MODE": "\ud800"}, "value can't be set", "the value of MODE"),
        ({"MODE": "x" * BYTES_MAX}, "larger than Lambda takes", "4,107 bytes"),
        ({"MODE": "é" * 2050}, "larger than Lambda takes", "4,111 bytes"),
    ],
)
def test_what_lambda_refuses_is_named_without_its_value(
    variables: dict[str, str], what: str, found: str
) -> None:
    fault = fault_of_variables(variables)
    assert fault is not None
    assert what in fault.what
    assert fault.found == found
    assert "secret" not in repr(fault)
