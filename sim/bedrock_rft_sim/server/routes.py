"""Every operation that is simulated, one table for each API.

A new operation is a line here and its handler; the support matrix, and the refusal of all others,
follow from the tables.
Sources: botocore service models bedrock/2023-04-20, bedrock-runtime/2023-09-30, lambda/2015-03-31
and logs/2014-03-28; Bedrock user guide, fine-tuning-openai-apis; openai Python library (paths).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bedrock_rft_sim.server.bedrock.deployment_operations import DeploymentOperations
from bedrock_rft_sim.server.bedrock.jobs import CustomizationJobs
from bedrock_rft_sim.server.bedrock.models import CustomModels, FoundationModels, InferenceProfiles
from bedrock_rft_sim.server.bedrock.tags import Tags
from bedrock_rft_sim.server.console.endpoints import ConsoleEndpoints
from bedrock_rft_sim.server.lambda_.functions import FunctionOperations
from bedrock_rft_sim.server.lambda_.invoke import InvokeOperation
from bedrock_rft_sim.server.lambda_.layer_operations import LayerOperations
from bedrock_rft_sim.server.lambda_.versions import VersionOperations
from bedrock_rft_sim.server.logs import LogOperations
from bedrock_rft_sim.server.mantle.fine_tuning import FineTuningEndpoints
from bedrock_rft_sim.server.mantle.graders import GraderEndpoints
from bedrock_rft_sim.server.mantle.http import with_body
from bedrock_rft_sim.server.mantle.inference import InferenceEndpoints
from bedrock_rft_sim.server.rest import Handler
from bedrock_rft_sim.server.runtime.endpoints import RuntimeEndpoints
from bedrock_rft_sim.server.state import ServerState

PREFIXES: Final = ("/v1", "")
"""With it and without: clients differ in what they call the base URL."""
Endpoint = Callable[[Request], Response | Awaitable[Response]]


def bedrock_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers of Bedrock's control plane by operation."""
    jobs, models, tags = CustomizationJobs(state), CustomModels(state), Tags(state)
    deployments, foundation = DeploymentOperations(state), FoundationModels(state)
    profiles = InferenceProfiles(state)
    return {
        "CreateModelCustomizationJob": jobs.create,
        "GetModelCustomizationJob": jobs.get,
        "ListModelCustomizationJobs": jobs.list,
        "StopModelCustomizationJob": jobs.stop,
        "GetCustomModel": models.get,
        "ListCustomModels": models.list,
        "DeleteCustomModel": models.delete,
        "CreateCustomModelDeployment": deployments.create,
        "GetCustomModelDeployment": deployments.get,
        "ListCustomModelDeployments": deployments.list,
        "DeleteCustomModelDeployment": deployments.delete,
        "ListFoundationModels": foundation.list,
        "GetFoundationModel": foundation.get,
        "ListInferenceProfiles": profiles.list,
        "GetInferenceProfile": profiles.get,
        "TagResource": tags.tag,
        "UntagResource": tags.untag,
        "ListTagsForResource": tags.list,
    }


def lambda_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers of AWS Lambda by operation."""
    functions, versions = FunctionOperations(state), VersionOperations(state)
    layers = LayerOperations(state)
    return {
        "CreateFunction": functions.create,
        "GetFunction": functions.get,
        "GetFunctionConfiguration": functions.get_configuration,
        "UpdateFunctionCode": functions.update_code,
        "UpdateFunctionConfiguration": functions.update_configuration,
        "ListFunctions": functions.list,
        "DeleteFunction": functions.delete,
        "ListTags": functions.list_tags,
        "TagResource": functions.tag,
        "UntagResource": functions.untag,
        "AddPermission": functions.add_permission,
        "PublishVersion": versions.publish,
        "ListVersionsByFunction": versions.list,
        "CreateAlias": versions.create_alias,
        "GetAlias": versions.get_alias,
        "UpdateAlias": versions.update_alias,
        "DeleteAlias": versions.delete_alias,
        "ListAliases": versions.list_aliases,
        "Invoke": InvokeOperation(state).invoke,
        "PublishLayerVersion": layers.publish,
        "GetLayerVersion": layers.get,
        "GetLayerVersionByArn": layers.get_by_arn,
        "ListLayers": layers.list,
        "ListLayerVersions": layers.list_versions,
        "DeleteLayerVersion": layers.delete,
    }


def logs_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers of CloudWatch Logs by operation."""
    logs = LogOperations(state)
    return {
        "DescribeLogGroups": logs.describe_groups,
        "DescribeLogStreams": logs.describe_streams,
        "FilterLogEvents": logs.filter,
        "GetLogEvents": logs.get,
        "DeleteLogGroup": logs.delete_group,
    }


def runtime_routes(state: ServerState) -> list[Route]:
    """Return the routes of bedrock-runtime."""
    runtime = RuntimeEndpoints(state)
    return _routes(
        ("POST", "/model/{model:path}/converse", runtime.converse),
        ("POST", "/model/{model:path}/converse-stream", runtime.converse_stream),
        ("POST", "/model/{model:path}/invoke", runtime.invoke),
        ("POST", "/model/{model:path}/invoke-with-response-stream", runtime.invoke_stream),
        ("POST", "/model/{model:path}/count-tokens", runtime.count_tokens),
    )


def mantle_routes(state: ServerState) -> list[Route]:
    """Return the routes of bedrock-mantle, with and without /v1."""
    tuning, graders = FineTuningEndpoints(state), GraderEndpoints(state)
    inference = InferenceEndpoints(state)
    table: tuple[tuple[str, str, Endpoint], ...] = (
        ("POST", "/files", tuning.create_file),
        ("GET", "/files", tuning.list_files),
        ("GET", "/files/{file_id}", tuning.get_file),
        ("GET", "/files/{file_id}/content", tuning.file_content),
        ("DELETE", "/files/{file_id}", tuning.delete_file),
        ("POST", "/fine_tuning/jobs", with_body(tuning.create_job)),
        ("GET", "/fine_tuning/jobs", tuning.list_jobs),
        ("GET", "/fine_tuning/jobs/{job_id}", tuning.get_job),
        ("POST", "/fine_tuning/jobs/{job_id}/cancel", tuning.cancel_job),
        ("GET", "/fine_tuning/jobs/{job_id}/events", tuning.list_events),
        ("GET", "/fine_tuning/jobs/{job_id}/checkpoints", tuning.list_checkpoints),
        ("POST", "/fine_tuning/alpha/graders/run", with_body(graders.run)),
        ("POST", "/fine_tuning/alpha/graders/validate", with_body(graders.validate)),
        ("GET", "/models", tuning.list_models),
        ("GET", "/models/{model:path}", tuning.get_model),
        ("POST", "/chat/completions", inference.chat),
        ("POST", "/responses", inference.responses),
    )
    return _routes(
        *((method, prefix + path, to) for prefix in PREFIXES for method, path, to in table)
    )


def console_routes(state: ServerState) -> list[Route]:
    """Return the routes of the console."""
    console = ConsoleEndpoints(state)
    return _routes(
        ("GET", "/console", console.page),
        ("GET", "/console/", console.page),
        ("GET", "/console/sign-in.js", console.sign_in_script),
        ("POST", "/console/sign-in", console.sign_in),
        ("GET", "/console/console.js", console.script),
        ("GET", "/console/plotly.js", console.library),
        ("GET", "/console/jobs", console.jobs),
        ("GET", "/console/jobs/{job_id}", console.job),
        ("GET", "/console/jobs/{job_id}/report", console.report),
        ("GET", "/console/jobs/{job_id}/examples", console.examples),
        ("POST", "/console/jobs/{job_id}/stop", console.stop),
        ("POST", "/console/jobs/{job_id}/ask", console.ask),
    )


def _routes(*table: tuple[str, str, Endpoint]) -> list[Route]:
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]
