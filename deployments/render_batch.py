"""The deployment that the workers of a pool serve, as data."""

from __future__ import annotations

from typing import Any

from tasks.pool import FLOW

POOL_TYPE = "process"
"""A flow run is a process of the worker's own machine."""

ENTRYPOINT = "flows.batch.render_batch"
"""A module and no file: each machine runs the finecut that is installed there."""

WORKER = {
    # Prefect's own 10 s and 30 s are for runs of hours; a batch takes minutes.
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
    # So that a batch that is cancelled before it has begun ends too.
    "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
    "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "5",
}
"""Settings of a worker, where the environment does not say otherwise."""


def deployment(pool: str) -> dict[str, Any]:
    """Return the deployment for a pool."""
    return {
        "name": pool,
        "work_pool_name": pool,
        "entrypoint": ENTRYPOINT,
        "path": None,
        "description": f"Renders chunks of a film for finecut (`{FLOW}`).",
        "tags": ["finecut"],
        "enforce_parameter_schema": True,
    }
