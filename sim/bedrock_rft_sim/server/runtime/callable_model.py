"""Which model an inference call means: a base model by its id, a tuned one by its deployment's ARN.

A custom model answers only once it is deployed, so that code which forgets to deploy fails here as
it would on AWS; bedrock-mantle's tuned models answer at once, at their own API.
The rule is Bedrock's; the words of the refusals are assumed.
Sources: Bedrock user guide, submit-model-customization-job and CreateCustomModelDeployment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.bedrock import names
from bedrock_rft_sim.server.bedrock.deployments import is_creating
from bedrock_rft_sim.server.errors import AwsError, invalid, not_found
from bedrock_rft_sim.server.state import ServerState


def callable_model(state: ServerState, name: str) -> str:
    """Return the local model behind the name that an inference call gives.

    A folder for a trained model, else what the mapping names (`tiny`, a folder, a Hub id).

    Raises:
        AwsError: nothing has this name, or it is a custom model's, or a deployment's other than
            its ARN.
    """
    base = state.mapping.base(name)
    if base is not None:
        return state.mapping.stand_in(base).model
    deployment = state.deployments.find(name)
    job = names.find_model(state.jobs, deployment["modelArn"] if deployment else name)
    if job is None:
        raise _unknown(name, known=state.mapping.ids)
    if deployment is None or not (name.startswith("arn:") and names.DEPLOYMENT in name):
        raise invalid(f"{name} is {_what_to_call(state, job, deployment)}")
    if is_creating(deployment, state.pending_s):
        words = "the deployment is Creating; wait until GetCustomModelDeployment says Active"
        raise AwsError("ModelNotReadyException", f"{name} is not ready: {words}")
    return str(RunFolder(job.folder).model)


def _unknown(name: str, *, known: Sequence[str]) -> AwsError:
    models = f"Known are {', '.join(known)}, and the ARNs of deployments."
    if name.startswith("arn:"):
        return not_found(f"Could not resolve the foundation model from {name[:300]}. {models}")
    return invalid(f"The provided model identifier is invalid. {models}")


def _what_to_call(state: ServerState, job: Job, deployment: dict[str, Any] | None) -> str:
    if deployment is not None:
        named = "the name of a custom model deployment; call it by its ARN"
        return f"{named}, {deployment['arn']}"
    arns = [
        one["arn"] for one in state.deployments.all() if one["modelArn"] == names.model_arn(job)
    ]
    if arns:
        return f"a custom model; call its deployment instead, {arns[0]}"
    return (
        "a custom model without a deployment; create one with CreateCustomModelDeployment "
        f"(modelArn={names.model_arn(job)}) and call the model by the deployment's ARN"
    )
