"""A worker of a pool: makes what it needs on the server, and serves until it is told to stop."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from deployments.render_batch import POOL_TYPE, deployment
from flows.batch import render_batch
from tasks.errors import Missing
from tasks.media.hardware import limit_name
from tasks.render.encoders import HARDWARE_SESSIONS, SPECS
from tasks.settings import Encoder


def prepare_server(pool: str, encoders: Sequence[Encoder], sessions: int | None) -> None:
    """Make the pool, the deployment and the limits of this machine's encoders on the server.

    Args:
        pool: name of the work pool.
        encoders: those that work here.
        sessions: of each family of hardware encoders at once; none: what is set, else two.

    Raises:
        Missing: the pool is of another type.
    """
    with get_client(sync_client=True) as client:
        _make_pool(client, pool)
        flow_id = client.create_flow_from_name(render_batch.name)
        schema = parameter_schema(render_batch).model_dump_for_openapi()
        client.create_deployment(flow_id, parameter_openapi_schema=schema, **deployment(pool))
        for encoder in encoders:
            if not SPECS[encoder].is_software:
                make_limit(client, limit_name(encoder), sessions)


def _make_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        found = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(
                WorkPoolCreate(name=name, type=POOL_TYPE, base_job_template=template)
            )
        except ObjectAlreadyExists:
            return  # another worker was quicker
        return
    if found.type != POOL_TYPE:
        raise Missing(
            f"the work pool {name} is of type {found.type}, and finecut serves {POOL_TYPE}",
            "choose another name with --pool",
        )


def make_limit(client: SyncPrefectClient, name: str, sessions: int | None) -> None:
    """Make a limit; one that is there stays as somebody has set it, unless a number is given."""
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        made = GlobalConcurrencyLimitCreate(name=name, limit=sessions or HARDWARE_SESSIONS)
        try:
            client.create_global_concurrency_limit(made)
        except ObjectAlreadyExists:
            return
    else:
        if sessions is not None:
            client.upsert_global_concurrency_limit_by_name(name, sessions)


def serve(pool: str, name: str, limit: int) -> None:
    """Serve a pool until this process is told to stop.

    Args:
        pool: name of the work pool.
        name: of this worker.
        limit: batches at once.
    """
    worker = ProcessWorker(pool, name=name, limit=limit, create_pool_if_not_found=False)
    anyio.run(lambda: worker.start(printer=lambda *_: None))


def sign_off(pool: str, name: str) -> None:
    """Take this worker from the server's list at once, where it would stay for half a minute."""
    with get_client(sync_client=True) as client:
        client.request(
            "DELETE",
            "/work_pools/{work_pool_name}/workers/{name}",
            path_params={"work_pool_name": pool, "name": name},
        )
