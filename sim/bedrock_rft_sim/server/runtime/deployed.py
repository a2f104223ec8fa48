"""Which model an inference call means: a base model by its id, a tuned one by its deployment's ARN.

A custom model answers only once it is deployed, so that code which forgets to deploy fails here as
it would on AWS; bedrock-mantle's tuned models answer at once, at their own door.
The rule is Bedrock's; the words of the refusals are assumed.
Sources: Bedrock user guide, submit-model-customization-job and CreateCustomModelDeployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_rft_sim.server.bedrock.names import DEPLOYMENT, find_deployment, find_model, model_arn
from bedrock_rft_sim.server.errors import invalid

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState


def callable_model(state: ServerState, name: str) -> str:
    """Return the local model behind the name that an inference call gives.

    Raises:
        AwsError: it is a custom model's, or a deployment's other than its ARN.
        UnknownModelError: nothing has this name.
    """
    local = str(state.resolve_model(name))
    if not (name.startswith("arn:") and DEPLOYMENT in name):
        _refuse_undeployed(state, name)
    return local


def _refuse_undeployed(state: ServerState, name: str) -> None:
    deployment = find_deployment(state.deployments, name)
    if deployment is not None:
        raise invalid(
            f"{name} is the name of a custom model deployment; call it by its ARN, "
            f"{deployment['arn']}"
        )
    job = find_model(state.jobs, name)
    if job is None:
        return  # a base model
    arns = [one["arn"] for one in state.deployments.all() if one["modelArn"] == model_arn(job)]
    if arns:
        raise invalid(f"{name} is a custom model; call its deployment instead, {arns[0]}")
    raise invalid(
        f"{name} is a custom model without a deployment; create one with "
        f"CreateCustomModelDeployment (modelArn={model_arn(job)}) and call the model by the "
        "deployment's ARN"
    )
