"""The operations of Bedrock's control plane that are simulated, by their AWS names.

Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bedrock_rft_sim.server.bedrock.customization import CustomizationJobs
from bedrock_rft_sim.server.bedrock.deploying import DeploymentOperations
from bedrock_rft_sim.server.bedrock.foundation import FoundationModels
from bedrock_rft_sim.server.bedrock.models import CustomModels
from bedrock_rft_sim.server.bedrock.tags import Tags
from bedrock_rft_sim.server.rest import Handler

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState


def bedrock_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers by operation."""
    jobs, models, tags = CustomizationJobs(state), CustomModels(state), Tags(state)
    deployments, foundation = DeploymentOperations(state), FoundationModels(state)
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
        "TagResource": tags.tag,
        "UntagResource": tags.untag,
        "ListTagsForResource": tags.list,
    }
