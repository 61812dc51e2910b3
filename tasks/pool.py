"""The Prefect work pool as the dealer of chunks sees it: who serves it, what was dealt, how it is.

Nothing here waits: a deployment's run that nobody takes is no error to Prefect, so whoever deals
looks for himself, by his own clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Cancelling

from tasks.errors import FinecutError, Missing
from tasks.render.batches import Seen

FLOW = "render-batch"
"""Name of the flow that renders a batch; its deployments bear the names of their pools."""

AT_ONCE = 100
"""Flow runs that the server is asked for in one request; it gives 200 at most."""

SAID_CHARS = 400
"""Most of a server's answer that is told."""

BUSY = (408, 429)
"""Answers that ask to come again."""

LIVE = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")

LOCALLY = "render on this machine with --set render.where=local"


class Pool:
    """A work pool by name. Used by one thread.

    Raises:
        Missing: no server is set.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        if not PREFECT_API_URL.value():
            raise Missing(
                f"the work pool {name} needs a Prefect server, and none is set",
                f"start one (`prefect server start`) and set PREFECT_API_URL, or {LOCALLY}",
            )
        self._client: SyncPrefectClient = get_client(sync_client=True)

    def serving(self) -> list[str]:
        """Return the names of the workers that are online.

        Raises:
            Missing: there is no such pool, it is paused, or nobody serves it.
        """
        start = f"start one with `finecut worker --pool {self.name}` on each machine, or {LOCALLY}"
        try:
            pool = self._client.read_work_pool(self.name)
            self._client.read_deployment_by_name(f"{FLOW}/{self.name}")
        except ObjectNotFound as error:
            raise Missing(f"the work pool {self.name} has no worker yet", start) from error
        if pool.is_paused:
            hint = f"resume it with `prefect work-pool resume {self.name}`, or {LOCALLY}"
            raise Missing(f"the work pool {self.name} is paused", hint)
        online = self.online()
        if not online:
            raise Missing(f"no worker serves the work pool {self.name}", start)
        return online

    def online(self) -> list[str]:
        """Return the names of the workers that the server holds to be there; may be none."""
        workers = self._client.read_workers_for_work_pool(self.name)
        return sorted(worker.name for worker in workers if worker.status.value == "ONLINE")

    def deal(self, parameters: Mapping[str, Any], name: str) -> str:
        """Deal a batch; return the id of its flow run.

        Raises:
            FinecutError: the server does not take it.
            httpx.HTTPError: it cannot be reached, or fails.
        """
        try:
            made: Any = run_deployment(
                f"{FLOW}/{self.name}",
                parameters=dict(parameters),
                flow_run_name=name,
                timeout=0,
                tags=["finecut"],
            )
        except ObjectNotFound as error:
            raise self._not_taken(str(error)) from error
        except httpx.HTTPStatusError as error:
            if is_outage(error):
                raise
            raise self._not_taken(" ".join(error.response.text.split())[:SAID_CHARS]) from error
        return str(made.id)

    def _not_taken(self, said: str) -> FinecutError:
        return FinecutError(
            f"Prefect's server does not take a batch for the work pool {self.name}: {said}",
            f"see that the server and every worker run the same finecut and Prefect, or {LOCALLY}",
        )

    def look(self, runs: Collection[str]) -> dict[str, Seen]:
        """Return the states of flow runs, of those that the server knows."""
        ids, seen = [UUID(each) for each in runs], {}
        for first in range(0, len(ids), AT_ONCE):
            asked = FlowRunFilter(id=FlowRunFilterId(any_=ids[first : first + AT_ONCE]))
            for found in self._client.read_flow_runs(flow_run_filter=asked):
                state: Any = found.state
                if state is not None:
                    said = str(state.message or "")
                    seen[str(found.id)] = Seen(state.type.value, state.name or "", said)
        return seen

    def cancel(self, run: str) -> None:
        """Ask for the end of a flow run; the worker that has it ends its processes."""
        self._client.set_flow_run_state(UUID(run), Cancelling(message="not needed any more"))

    def write_off(self, run: str) -> None:
        """Call a flow run cancelled that no worker is there to end, unless it has ended."""
        seen = self.look([run]).get(run)
        if seen is not None and seen.type in LIVE:
            gone: State[Any] = Cancelled(message="ended by the dealer")
            self._client.set_flow_run_state(UUID(run), gone, force=True)


def own_flow_run() -> str | None:
    """Return the id of the flow run that this is called in."""
    task, flow = TaskRunContext.get(), FlowRunContext.get()
    if task is not None and task.task_run.flow_run_id:
        return str(task.task_run.flow_run_id)
    return str(flow.flow_run.id) if flow is not None and flow.flow_run else None


def is_outage(error: Exception) -> bool:
    """Return whether an error says that the server is away, and may be back soon."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code in BUSY
    return isinstance(error, httpx.TransportError)
