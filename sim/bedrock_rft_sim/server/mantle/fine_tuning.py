"""The operations on files, fine-tuning jobs and models.

Starlette runs what is not async in a thread, so that whatever touches the disk holds up no other.
Sources: OpenAI API reference, files, fine_tuning.jobs and models; Bedrock user guide,
fine-tuning-openai-apis.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from bedrock_rft_sim.jobs import Job, OpenAIDetails, UnknownJobError
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.server.mantle.create import checked_rehearsal, checked_request
from bedrock_rft_sim.server.mantle.errors import OpenAIError, missing, wrong
from bedrock_rft_sim.server.mantle.files import PURPOSE, Files
from bedrock_rft_sim.server.mantle.http import demand_only, page
from bedrock_rft_sim.server.mantle.jobs import (
    VALIDATING,
    as_job,
    checkpoints_of,
    events_of,
    remark_events,
)
from bedrock_rft_sim.server.mantle.models import all_models, as_model, local_model
from bedrock_rft_sim.server.mantle.names import job_id, job_of
from bedrock_rft_sim.server.model_ids import spelled
from bedrock_rft_sim.server.state import ServerState

CANCEL_WAIT_S: Final = 10.0
"""A run stops after the step in progress; so long `cancel` waits to say `cancelled`."""
_TICK_S: Final = 0.05


class FineTuningEndpoints:
    """Endpoints over the files and the list of jobs."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._files = Files(state.root / "files")

    # Files

    async def create_file(self, request: Request) -> Response:
        """Answer `POST /v1/files`."""
        async with request.form(max_files=1, max_fields=8) as form:
            demand_only(form, "file", "purpose")
            upload, purpose = form.get("file"), form.get("purpose")
            if not isinstance(upload, UploadFile):
                raise missing("file")
            if purpose != PURPOSE:
                raise wrong("purpose", f"Bedrock documents only '{PURPOSE}', got {purpose!r:.60}.")
            name = upload.filename or "upload.jsonl"
            return JSONResponse(
                await run_in_threadpool(self._files.add, upload.file, filename=name)
            )

    def list_files(self, request: Request) -> Response:
        """Answer `GET /v1/files`."""
        purpose = request.query_params.get("purpose", PURPOSE)
        shown = [file for file in self._files.list() if file["purpose"] == purpose]
        if request.query_params.get("order") == "asc":
            shown.reverse()
        return JSONResponse(page(shown, request.query_params, default=10_000, most=10_000))

    def get_file(self, request: Request) -> Response:
        """Answer `GET /v1/files/{id}`."""
        return JSONResponse(self._files.get(request.path_params["file_id"])["file"])

    def file_content(self, request: Request) -> Response:
        """Answer `GET /v1/files/{id}/content`."""
        path = self._files.content(request.path_params["file_id"])
        return FileResponse(path, media_type="application/octet-stream")

    def delete_file(self, request: Request) -> Response:
        """Answer `DELETE /v1/files/{id}`; one that a job still needs stays."""
        file_id = request.path_params["file_id"]
        for job in self._state.jobs.list("openai"):
            if not job.has_ended and job.request["training_file"] == file_id:
                raise OpenAIError(
                    f"The file is in use by the fine-tuning job {job_id(job.id)}.",
                    status=409,
                    param="id",
                    code="file_in_use",
                )
        self._files.delete(file_id)
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    # Jobs

    def create_job(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer `POST /v1/fine_tuning/jobs`."""
        mapping, asked = self._state.mapping, body.get("model")
        documented = {"model": mapping.base(asked) or asked} if isinstance(asked, str) else {}
        checked = checked_request({**body, **documented}, known=tuple(mapping.models))
        recipe, remarks = checked_rehearsal(self._state, self._files, checked)
        base = openai.model_id(checked)
        told = remark_events([*remarks, *spelled(str(asked), base)])
        details = OpenAIDetails(recipe["local"]["seed"], told)
        job = self._state.jobs.create(details, recipe, name=base, request=checked)
        return {**self._shown(job), "status": VALIDATING}

    def list_jobs(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs`."""
        demand_only(request.query_params, "limit", "after")
        jobs = [self._shown(job) for job in self._state.jobs.list("openai")]
        return JSONResponse(page(jobs, request.query_params))

    def get_job(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}`."""
        return JSONResponse(self._shown(self._job(request)))

    async def cancel_job(self, request: Request) -> Response:
        """Answer `POST /v1/fine_tuning/jobs/{id}/cancel`."""
        job = await run_in_threadpool(self._job, request)
        if job.has_ended:
            shown = self._shown(job)
            raise OpenAIError(
                f"Job {shown['id']} has already ended: {shown['status']}.", code="job_already_ended"
            )
        job = await run_in_threadpool(self._state.jobs.stop, job.id)
        deadline = time.monotonic() + CANCEL_WAIT_S
        while not job.has_ended and time.monotonic() < deadline:
            await asyncio.sleep(_TICK_S)
            job = await run_in_threadpool(self._state.jobs.get, job.id)
        return JSONResponse(self._shown(job))

    def list_events(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}/events`."""
        return JSONResponse(page(events_of(self._job(request)), request.query_params))

    def list_checkpoints(self, request: Request) -> Response:
        """Answer `GET /v1/fine_tuning/jobs/{id}/checkpoints`."""
        checkpoints = checkpoints_of(self._job(request))
        return JSONResponse(page(checkpoints, request.query_params, default=10))

    def _shown(self, job: Job) -> dict[str, Any]:
        return as_job(job, pending_s=self._state.pending_s)

    def _job(self, request: Request) -> Job:
        shown = request.path_params["job_id"]
        try:
            job = self._state.jobs.get(job_of(shown) or "")
        except UnknownJobError:
            job = None
        if job is None or job.kind != "openai":
            raise OpenAIError(
                f"Could not find fine tune: {shown[:80]}",
                status=404,
                param="fine_tune_id",
                code="fine_tune_not_found",
            )
        return job

    # Models

    def list_models(self, _request: Request) -> Response:
        """Answer `GET /v1/models`."""
        return JSONResponse({"object": "list", "data": all_models(self._state)})

    def get_model(self, request: Request) -> Response:
        """Answer `GET /v1/models/{id}`."""
        name = request.path_params["model"]
        local_model(self._state, name)
        known = {each["id"]: each for each in all_models(self._state)}
        return JSONResponse(known.get(name) or as_model(name, created=0))
