"""Everything about a submission that is known on this machine: what is sent, made and proven.

No AWS is asked here.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bedrock_rft_sim.cloud.archive import Archive, pack
from bedrock_rft_sim.cloud.function import LambdaFunction, runtime_of_this_python
from bedrock_rft_sim.cloud.names import (
    FunctionArn,
    ObjectName,
    RoleArn,
    function_arn,
    object_name,
    role_arn,
)
from bedrock_rft_sim.cloud.packaged import JUDGE_CLIENT
from bedrock_rft_sim.cloud.proof import ProofCase, proof_cases
from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.errors import DataError, RecipeError
from bedrock_rft_sim.files import named_errors, regular
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.recipe import Recipe

_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class DataFile:
    """A data file on its way: from a file here, or made by a built-in generator."""

    what: str
    """`local.trainingData` or `local.validationData`."""
    source: Path | bytes
    size: int
    sha256: str

    def open(self) -> BinaryIO:
        """Open what is sent, to read its bytes."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else regular(self.source)


@dataclass(frozen=True)
class DataObject(DataFile):
    """A data file with its place in S3."""

    place: ObjectName


@dataclass(frozen=True)
class Prepared:
    """One submission as this machine knows it."""

    recipe: Recipe
    function: FunctionArn
    settings: LambdaFunction
    archive: Archive
    cases: tuple[ProofCase, ...]
    role: RoleArn | None = None
    """The role that Bedrock takes on; None for open weights, which have none."""
    objects: tuple[DataObject, ...] = ()
    """What goes to S3."""
    output: ObjectName | None = None
    upload: DataFile | None = None
    """The training file of open weights."""

    @property
    def calls_a_judge(self) -> bool:
        """Whether the reward looks as if it asked a model on Bedrock."""
        return JUDGE_CLIENT in self.archive.content


def prepare(
    recipe: Recipe, rows: Iterable[Row], *, replies: Mapping[str, str] | None = None
) -> Prepared:
    """Zip the reward, grade a few answers, hash the data; `rows` are the training rows.

    `replies` are good replies by row id, where the references' own phrasing is not what is read.

    Raises:
        RecipeError: Bedrock would refuse the request, or it names no role.
        GraderError: the reward can't be zipped or started.
    """
    request = recipe.payload()
    if request is None:
        raise RecipeError(
            "Bedrock would refuse the request",
            where=recipe.where(recipe.refusals[0].path),
            found=str(recipe.refusals[0]),
            hint=recipe.refusals[0].remedy or "rft check says all of it",
        )
    function, is_nova = function_arn(recipe.grader_arn), recipe.dialect == "bedrock"
    archive = pack(recipe.reward_path, handler=recipe.local.handler, out=Path("reward.zip"))
    lambda_ = recipe.local.lambda_
    return Prepared(
        recipe=recipe,
        function=function,
        settings=LambdaFunction(
            name=function.name,
            handler=archive.handler,
            runtime=runtime_of_this_python()[0],
            timeout_s=lambda_.timeout,
            memory_mb=lambda_.memorySize,
            environment=lambda_.environment,
        ),
        archive=archive,
        cases=proof_cases(reward_of(recipe), rows, replies),
        role=role_arn(str(request["roleArn"])) if is_nova else None,
        objects=tuple(_objects(recipe)) if is_nova else (),
        output=object_name(str(request["outputDataConfig"]["s3Uri"])) if is_nova else None,
        upload=None if is_nova else _file(recipe, "train"),
    )


def _objects(recipe: Recipe) -> Iterable[DataObject]:
    request = recipe.request
    yield _object(recipe, "train", request["trainingDataConfig"].get("s3Uri"))
    for validator in request.get("validationDataConfig", {}).get("validators", ())[:1]:
        yield _object(recipe, "validation", validator["s3Uri"])


def _object(recipe: Recipe, split: plan.Split, uri: str | None) -> DataObject:
    path = "trainingDataConfig" if split == "train" else "validationDataConfig.validators"
    if uri is None:
        raise RecipeError(
            "the request has no place for the data",
            where=recipe.where(f"{path}.s3Uri"),
            expected="s3://BUCKET/KEY",
            hint="name it; invocation logs as training data are not sent by this command",
        )
    return DataObject(**vars(_file(recipe, split)), place=object_name(uri))


def _file(recipe: Recipe, split: plan.Split) -> DataFile:
    source = recipe.training_source if split == "train" else recipe.validation_source
    what = "local.trainingData" if split == "train" else "local.validationData"
    if isinstance(source, Path):
        size, digest = _hashed(source)
        return DataFile(what, source, size, digest)
    rows = plan.source_rows(recipe, split)
    lines = (json.dumps(row.as_record(), ensure_ascii=False) for row in rows)
    content = "".join(line + "\n" for line in lines).encode()
    digest = hashlib.sha256(content).hexdigest()
    return DataFile(what, content, len(content), digest)


def _hashed(path: Path) -> tuple[int, str]:
    """Return the size of a file and its SHA-256, in constant memory."""
    digest, size = hashlib.sha256(), 0
    with named_errors(path, "read the data", kind=DataError), regular(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
