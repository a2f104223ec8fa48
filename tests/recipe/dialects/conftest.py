import pytest


def nova_request(**hyperparameters):
    return {
        "jobName": "a-job",
        "customModelName": "a-model",
        "roleArn": "arn:aws:iam::123456789012:role/BedrockRFTRole",
        "baseModelIdentifier": "amazon.nova-2-lite-v1:0:256k",
        "customizationType": "REINFORCEMENT_FINE_TUNING",
        "trainingDataConfig": {"s3Uri": "s3://my-bucket/train.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://my-bucket/output/"},
        "customizationConfig": {
            "rftConfig": {
                "graderConfig": {
                    "lambdaGrader": {
                        "lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:reward"
                    }
                },
                "hyperParameters": hyperparameters,
            }
        },
    }


def open_weight_request(**hyperparameters):
    grader = {
        "type": "lambda",
        "lambda": {"function": "arn:aws:lambda:us-west-2:123456789012:function:reward"},
    }
    return {
        "model": "openai.gpt-oss-20b",
        "training_file": "file-abc123",
        "method": {
            "type": "reinforcement",
            "reinforcement": {"grader": grader, "hyperparameters": hyperparameters},
        },
    }


@pytest.fixture(scope="session")
def nova():
    return nova_request


@pytest.fixture(scope="session")
def open_weight():
    return open_weight_request
