"""The doors to files, fine-tuning jobs and models.

Whatever touches the disk runs in a thread, so that one slow client holds up no other.
Sources: OpenAI API reference, files, fine_tuning.jobs and models; Bedrock user guide,
fine-tuning-openai-apis.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from bedrock_rft_sim.jobs import Job, OpenAIDetails, UnknownJobError
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.server.mantle.create import checked_request, recipe_of
from bedrock_rft_sim.server.mantle.errors import OpenAIError, missing, unsupported, wrong
from bedrock_rft_sim.server.mantle.files import PURPOSE, Files
from bedrock_rft_sim.server.mantle.http import read_body
from bedrock_rft_sim.server.mantle.jobs import (
    as_job,
    checkpoints_of,
    events_of,
    remark_events,
)
from bedrock_rft_sim.server.mantle.models import all_models, as_model, local_model
from bedrock_rft_sim.server.mantle.names import job_of
from bedrock_rft_sim.server.mantle.pages import page
from bedrock_rft_sim.server.state import ServerState

CANCEL_WAIT_S: Final = 10.0
"""A run stops after the step in progress; so long `cancel` waits to say `cancelled`."""
_TICK_S: Final = 0.05


class FineTuning:
    """Endpoints over the files and the list of jobs."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._files = Files(state.root / "files")

    # Files

    async def create_file(self, request: Request) -> Response:
        """Answer `POST /v1/files`."""
        try:
            async with request.form(max_files=1, max_fields=8) as form:
                return JSONResponse(await self._keep(form))
        except MultiPartException as error:
            raise OpenAIError(f"The form can't be read: {error.message}") from error

    async def _keep(self, form: FormData) -> dict[str, Any]:
        for name in form:
            if name not in ("file", "purpose"):
                raise unsupported(name, "The local endpoint does not simulate it.")
        upload, purpose = form.get("file"), form.get("purpose")
        if not isinstance(upload, UploadFile):
            raise missing("file")
        if purpose != PURPOSE:
            raise wrong("purpose", f"Bedrock documents only '{PURPOSE}', got {purpose!r:.60}.")
        name = upload.filename or "upload.jsonl"
        return await run_in_threadpool(self._files.add, upload.file, filename=name)

    async def list_files(self, request: Request) -> Response:
        """Answer `GET /v1/files`."""
        files = await run_in_threadpool(self._files.list)
        purpose = request.query_params.get("purpose", PURPOSE)
        shown = [file for file in files if file["purpose"] == purpose]
        if request.query_params.get("order") == "asc":
            shown.reverse()
        return JSONResponse(page(shown, request.query_params, default=10_000, most=10_000))

    async def get_file(self, request: Request) -> Response:
        """Answer `GET /v1/files/{id}`."""
        file_id = request.path_params["file_id"]
        return JSONResponse(await run_in_threadpool(self._files.get, file_id))

    async def file_content(self, request: Request) -> Response:
        """Answer `GET /v1/files/{id}/content`."""
        path = await run_in_threadpool(self._files.content, request.path_params["file_id"])
        return FileResponse(path, media_type="application/octet-stream")

    async def delete_file(self, request: Request) -> Response:
        """Answer `DELETE /v1/files/{id}`; one that a job still needs stays."""
        file_id = request.path_params["file_id"]
        await run_in_threadpool(self._delete_file, file_id)
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    def _delete_file(self, file_id: str) -> None:
        for job in self._state.jobs.list("openai"):
            if not job.has_ended and job.request["training_file"] == file_id:
                raise OpenAIError(
                    f"The file is in use by the fine-tuning job {self._shown(job)['id']}.",
                    status=409,
                    param="id",
                    code="file_in_use",
                )
        self._files.delete(file_id)

    # Jobs

    async def create_job(self, request: Request) -> Response:
        """Answer `POST /v1/fine_tuning/jobs`."""
        body = await read_body(request)
        return JSONResponse(await run_in_threadpool(self._create_job, body))

    def _create_job(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = checked_request(body, known=tuple(self._state.mapping.models or ()))
        recipe = recipe_of(self._state, self._files, asked)
        stand_in = self._state.mapping.stand_in(openai.model_id(asked))
        remarks = stand_in.remarks("openai", asked)
        job = self._state.jobs.create(
            OpenAIDetails(recipe["local"]["seed"], remark_events(remarks)),
            recipe,
            name=openai.model_id(asked),
            request=asked,
        )
        return self._shown(job)

    async def list_jobs(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs`."""
        for name in request.query_params:
            if name not in ("limit", "after"):
                raise unsupported(name, "The local endpoint does not simulate it.")
        jobs = await run_in_threadpool(self._state.jobs.list, "openai")
        return JSONResponse(page([self._shown(job) for job in jobs], request.query_params))

    async def get_job(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}`."""
        return JSONResponse(self._shown(await self._job(request)))

    async def cancel_job(self, request: Request) -> Response:
        """Answer `POST /v1/fine_tuning/jobs/{id}/cancel`."""
        job = await self._job(request)
        if job.has_ended:
            raise OpenAIError(
                f"Job {self._shown(job)['id']} has already ended: {self._shown(job)['status']}.",
                code="job_already_ended",
            )
        job = await run_in_threadpool(self._state.jobs.stop, job.id)
        deadline = time.monotonic() + CANCEL_WAIT_S
        while not job.has_ended and time.monotonic() < deadline:
            await asyncio.sleep(_TICK_S)
            job = await run_in_threadpool(self._state.jobs.get, job.id)
        return JSONResponse(self._shown(job))

    async def list_events(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}/events`."""
        events = await run_in_threadpool(events_of, await self._job(request))
        return JSONResponse(page(events, request.query_params))

    async def list_checkpoints(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}/checkpoints`."""
        checkpoints = await run_in_threadpool(checkpoints_of, await self._job(request))
        return JSONResponse(page(checkpoints, request.query_params, default=10))

    async def _job(self, request: Request) -> Job:
        shown = request.path_params["job_id"]
        job_id = job_of(shown)
        if job_id is not None:
            try:
                job = await run_in_threadpool(self._state.jobs.get, job_id)
            except UnknownJobError:
                job = None
            if job is not None and job.kind == "openai":
                return job
        raise OpenAIError(
            f"Could not find fine tune: {shown[:80]}",
            status=404,
            param="fine_tune_id",
            code="fine_tune_not_found",
        )

    def _shown(self, job: Job) -> dict[str, Any]:
        return as_job(job, account=self._state.account, seed=job.openai.seed)

    # Models

    async def list_models(self, _request: Request) -> Response:
        """Answer `GET /v1/models`."""
        data = await run_in_threadpool(all_models, self._state)
        return JSONResponse({"object": "list", "data": data})

    async def get_model(self, request: Request) -> Response:
        """Answer `GET /v1/models/{id}`."""
        name = request.path_params["model"]
        await run_in_threadpool(local_model, self._state, name)
        known = {each["id"]: each for each in await run_in_threadpool(all_models, self._state)}
        return JSONResponse(known.get(name) or as_model(name, created=0))
