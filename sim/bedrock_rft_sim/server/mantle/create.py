"""From a request for a job to the recipe that rehearses it.

Everything that Bedrock would refuse is refused, whether or not a laptop could train with it.
Sources: `bedrock_rft_sim.recipe.dialects.openai`; `bedrock_rft_sim.contract.limits` (records).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bedrock_rft_sim.contract.limits import RECORDS_MAX, RECORDS_MIN
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.dialects import Refusal, openai
from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.lambda_.references import find_function
from bedrock_rft_sim.server.lambda_.store import Functions, Resolved
from bedrock_rft_sim.server.mantle.errors import OpenAIError
from bedrock_rft_sim.server.mantle.files import Files
from bedrock_rft_sim.server.rehearsal import rehearsal_of, reward_of
from bedrock_rft_sim.server.state import ServerState


def checked_request(body: Mapping[str, Any], *, known: Sequence[str]) -> dict[str, Any]:
    """Return the request without nulls; `known` are models that the mapping adds.

    Raises:
        OpenAIError: Bedrock would refuse it.
    """
    request = {name: value for name, value in body.items() if value is not None}
    for refusal in openai.check(request):
        if refusal.path != "model" or request["model"] not in known:
            raise _as_error(refusal)
    return request


def _as_error(refusal: Refusal) -> OpenAIError:
    problem, hint = refusal.problem, refusal.hint or ""
    codes = {
        "unknown key": "unknown_parameter",
        "missing key": "missing_required_parameter",
        "not documented for Bedrock": "unsupported_parameter",
        "not offered for reinforcement fine-tuning": "model_not_available",
    }
    return OpenAIError(
        f"{problem[:1].upper()}{problem[1:]}: {refusal}. {hint[:1].upper()}{hint[1:]}".rstrip(),
        param=refusal.path,
        code=codes.get(problem, "invalid_value"),
    )


def checked_rehearsal(
    state: ServerState, files: Files, request: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the recipe of a checked request, itself checked, and remarks on what differs.

    Raises:
        OpenAIError: the file or the function is not there, or the recipe can't be rehearsed.
    """
    _demand_records(files, request["training_file"])
    function = resolved(state.functions, openai.grader_arn(request)).deployed
    local = {"trainingData": str(files.content(request["training_file"])), **reward_of(function)}
    try:
        return rehearsal_of(state, "openai", request, local)
    except RecipeError as error:
        raise OpenAIError(str(error), code="not_rehearsable") from error


def _demand_records(files: Files, file_id: str) -> None:
    try:
        found: int = files.get(file_id)["records"]
    except OpenAIError as error:
        raise OpenAIError(error.message, param="training_file", code="file_not_found") from error
    if not RECORDS_MIN <= found <= RECORDS_MAX:
        raise OpenAIError(
            f"The training file has {found:,} records, expected {RECORDS_MIN:,} to "
            f"{RECORDS_MAX:,} (Bedrock user guide, rft-prepare-data-open-weight).",
            param="training_file",
            code="invalid_n_examples",
        )


def resolved(functions: Functions, arn: str) -> Resolved:
    """Return the function behind the grader's ARN.

    Raises:
        OpenAIError: there is none.
    """
    try:
        return functions.resolve(arn)
    except AwsError as error:
        is_missing = error.code == "ResourceNotFoundException"
        raise OpenAIError(
            f"{error.message}. Create it with the Lambda API of this endpoint first"
            f"{_elsewhere(functions, arn) if is_missing else ''}.",
            param=openai.LAMBDA_PATH,
            code="grader_not_found",
        ) from error


def _elsewhere(functions: Functions, arn: str) -> str:
    """Return a hint where another Region has a function of that name."""
    function, _ = find_function(arn, region=None)
    others = [each for each in functions.regions_with(function.name) if each != function.region]
    return f", in {function.region}; there is one in {', '.join(others)}" if others else ""
