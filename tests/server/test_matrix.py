"""The support matrix says what the tables hold."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim import server
from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server.matrix import as_markdown, support_matrix
from bedrock_rft_sim.server.routes import runtime_routes

from tests.server.conftest import Endpoint

README = Path(server.__file__).parent / "README.md"


def test_every_operation_of_each_service_is_there_once(endpoint: Endpoint) -> None:
    rows = support_matrix(endpoint.state)
    for service in ("bedrock", "bedrock-runtime", "lambda"):
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


def test_the_table_names_every_service(endpoint: Endpoint) -> None:
    table = as_markdown(support_matrix(endpoint.state))
    for service in ("bedrock", "bedrock-runtime", "lambda", "s3", "iam", "sts"):
        assert f"| {service} |" in table
    assert "`GET /v1/models`" in table


def test_what_is_not_simulated_is_counted_or_named(endpoint: Endpoint) -> None:
    rows = support_matrix(endpoint.state)
    count = sum(row.support == "not simulated" for row in rows if row.service == "bedrock")
    assert f"| bedrock | not simulated | the other {count} |" in as_markdown(rows)
    assert "`CreateGuardrail`" not in as_markdown(rows)
    assert "`CreateGuardrail`" in as_markdown(rows, every=True)


def test_the_servers_readme_holds_the_matrix(endpoint: Endpoint) -> None:
    text = README.read_text(encoding="utf-8")
    shown = text.partition("<!-- support matrix -->\n")[2].partition("<!-- end of")[0]
    assert shown == as_markdown(support_matrix(endpoint.state))
