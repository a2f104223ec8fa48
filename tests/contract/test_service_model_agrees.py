from bedrock_rft_sim.contract import limits, statuses
from bedrock_rft_sim.recipe.dialects.service_model import input_shape


def test_statuses_are_those_of_the_service_model():
    listing = input_shape("bedrock", "ListModelCustomizationJobs")
    assert set(listing.members["statusEquals"].enum) == set(statuses.BEDROCK_STATUSES)


def test_the_lambda_arn_pattern_is_botocore_s():
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    for name in ("customizationConfig", "rftConfig", "graderConfig", "lambdaGrader", "lambdaArn"):
        shape = shape.members[name]
    assert shape.metadata["pattern"] == limits.LAMBDA_ARN_PATTERN
    assert shape.metadata["max"] == limits.LAMBDA_ARN_MAX_LENGTH
