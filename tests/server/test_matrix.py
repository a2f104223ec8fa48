"""The support matrix says what the tables hold."""

from __future__ import annotations

import runpy
from pathlib import Path

from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server.matrix import SupportedOperation, support_matrix
from bedrock_rft_sim.server.routes import runtime_routes
from tests.server.conftest import Endpoint

DOCS = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "docs"))


def test_every_operation_of_each_service_is_there_once(endpoint: Endpoint) -> None:
    rows = support_matrix(endpoint.state)
    for service in ("bedrock", "bedrock-runtime", "lambda", "logs"):
        names = [row.operation for row in rows if row.service == service]
        assert sorted(names) == sorted(service_model(service).operation_names)


def test_what_rft_needs_is_simulated(endpoint: Endpoint) -> None:
    found = {(row.service, row.operation): row.support for row in support_matrix(endpoint.state)}
    assert found["bedrock", "CreateModelCustomizationJob"] == "simulated"
    assert found["lambda", "Invoke"] == "simulated"
    assert found["lambda", "AddPermission"] == "accepted and ignored"
    assert found["bedrock", "CreateGuardrail"] == "not simulated"


def test_every_route_of_the_runtime_is_one_of_botocores_operations(endpoint: Endpoint) -> None:
    rows = support_matrix(endpoint.state)
    simulated = [row for row in rows if row.support == "simulated"]
    found = [row.operation for row in simulated if row.service == "bedrock-runtime"]
    assert len(found) == len(runtime_routes(endpoint.state))


def test_the_table_names_every_service_and_holds_no_number_that_ages(endpoint: Endpoint) -> None:
    rows = support_matrix(endpoint.state)
    table = DOCS["support_table"](rows)
    for service in ("bedrock", "bedrock-runtime", "lambda", "logs", "s3", "iam", "sts"):
        assert f"| {service} |" in table
    assert "`GET /v1/models`" in table
    assert "| bedrock | not simulated | all others |" in table
    assert support_table_of_a_newer_botocore(rows) == table
    assert "`CreateGuardrail`" not in table


def support_table_of_a_newer_botocore(rows: list[SupportedOperation]) -> str:
    """Return the table where Bedrock has operations that this botocore doesn't know."""
    newer = [SupportedOperation("bedrock", f"New{n}", "not simulated") for n in range(25)]
    table: str = DOCS["support_table"]([*rows, *newer])
    return table


def test_the_servers_readme_holds_the_table(endpoint: Endpoint) -> None:
    text = DOCS["SERVER"].read_text(encoding="utf-8")
    shown = text.partition(DOCS["BEGIN"])[2].partition(DOCS["END"])[0]
    assert shown == DOCS["support_table"](support_matrix(endpoint.state)), "run scripts/docs"
