"""Lane B: freeze what the run works on, so that it cannot change while a person decides."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import rfc8785

from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.courier.v1.endpoint_service_pb2 import ListEndpointsRequest
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.identity.v1.identity_service_pb2 import ListIdentitiesRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.nova.v1.run_pb2 import Lane
from chenu.threads.v1.thread_pb2 import Sphere, Thread, ThreadStatus
from chenu.threads.v1.thread_service_pb2 import GetContextRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from chenu_gate.action import Target
from kernel.channels import Channels
from services.nova.record import RunRecord
from services.nova.targets import Candidate, bare, likely

# The kinds of entity that lane A finds and that may name a thread.
_REFERENCES: Final = frozenset({"title", "thread", "id"})
_AT_MOST: Final = 200
# Characters: thirty messages may have a million, which is more than a model reads.
_MOST_SAID: Final = 100_000
_SENDING: Final = frozenset({"send", "publish", "export"})
_TIMEOUT: Final = 10.0


class Contexts:
    """Reads the context of runs from the services that own it."""

    def __init__(self, channels: Channels) -> None:
        self._threads = ThreadServiceStub(channels.channel("threads"))
        self._endpoints = EndpointServiceStub(channels.channel("courier"))
        self._identities = IdentityServiceStub(channels.channel("identity"))

    async def freeze(self, record: RunRecord) -> None:
        """Read once; a request that names nothing reads nothing."""
        record.begin(Lane.LANE_CONTEXT)
        run, intent = record.run, record.run.intent
        context: dict[str, Any] = {
            "current_thread": run.thread_id,
            "threads": [],
            "endpoints": [],
            "messages": [],
        }
        record.journal["context"] = context
        references = [e.value for e in intent.entities if e.type in _REFERENCES]
        if intent.kind == "create" and not intent.secondary_kinds:
            references = []  # it names what does not exist yet; lane C looks up what it needs
        if run.thread_id or references:
            await self.add_threads(record, references)
        if _SENDING & {intent.kind, *intent.secondary_kinds}:
            await self.add_endpoints(record)
        digest = hashlib.sha256(rfc8785.dumps(context)).hexdigest()
        record.finish(Lane.LANE_CONTEXT, f"context frozen, sha256:{digest[:16]}")

    async def add_threads(self, record: RunRecord, references: list[str]) -> None:
        """Add the threads that the references may mean."""
        context = record.journal["context"]
        wanted = [r[:500] for r in references if r][:20]
        answer = await self._threads.GetContext(
            GetContextRequest(thread_id=record.run.thread_id, references=wanted),
            timeout=_TIMEOUT,
        )
        # Only of these is it known what else they may mean.
        record.journal.setdefault("looked_up", []).extend(wanted)
        known = {thread["id"] for thread in context["threads"]}
        found = (
            [answer.thread, *answer.candidates]
            if answer.HasField("thread")
            else list(answer.candidates)
        )
        context["threads"] += [
            _thread(t, record.caller.identity)
            for t in {t.thread_id: t for t in found}.values()
            if t.thread_id not in known
        ]
        said = [{"role": m.role, "content": m.content} for m in answer.messages]
        context["messages"] = latest(said, _MOST_SAID)

    def unseen(self, record: RunRecord, kind: str, reference: str) -> bool:
        """Whether things that the reference may mean were never asked for; an id means one."""
        journal = record.journal
        if kind == "thread":
            known, seen = journal["context"]["threads"], journal.get("looked_up", ())
        elif kind == "endpoint" and not journal.get("all_endpoints"):
            known = journal["context"]["endpoints"]
            seen = journal.get("endpoints_looked_up", ())
        else:
            return False
        ids = {thing["id"] for thing in known}
        return reference.strip().lower() not in ids and bare(reference) not in seen

    async def look_again(self, record: RunRecord, targets: Sequence[Target]) -> None:
        """Read anew what has changed since it was frozen; what has gone is forgotten."""
        context = record.journal["context"]
        threads = {target.id for target in targets if target.type == "thread"}
        context["threads"] = [t for t in context["threads"] if t["id"] not in threads]
        if threads:
            await self.add_threads(record, sorted(threads))
        endpoints = {target.id for target in targets if target.type == "endpoint"}
        context["endpoints"] = [e for e in context["endpoints"] if e["id"] not in endpoints]
        if endpoints:
            await self.find_endpoints(record, sorted(endpoints))

    async def add_endpoints(self, record: RunRecord) -> None:
        """Add the identity's endpoints, as many as a page holds."""
        answer = await self._endpoints.ListEndpoints(
            ListEndpointsRequest(page_size=_AT_MOST), timeout=_TIMEOUT
        )
        record.journal["all_endpoints"] = not answer.next_page_token
        _add_new(record.journal["context"]["endpoints"], map(_endpoint, answer.endpoints))

    async def find_endpoints(self, record: RunRecord, references: list[str]) -> None:
        """Add the endpoints that the references may mean."""
        for reference in references:
            found: list[dict[str, Any]] = []
            token = ""
            while True:
                answer = await self._endpoints.ListEndpoints(
                    ListEndpointsRequest(
                        page_size=_AT_MOST, page_token=token, reference=reference[:500]
                    ),
                    timeout=_TIMEOUT,
                )
                found += map(_endpoint, answer.endpoints)
                token = answer.next_page_token
                if not token:
                    break
            _add_new(record.journal["context"]["endpoints"], likely(reference, found))
            record.journal.setdefault("endpoints_looked_up", []).append(reference)

    async def add_identities(self, record: RunRecord) -> None:
        """Add the person's other identities; a thing is not done to the one that it is done for."""
        answer = await self._identities.ListIdentities(
            ListIdentitiesRequest(page_size=_AT_MOST), timeout=_TIMEOUT
        )
        record.journal["context"]["identities"] = [
            {"id": i.identity_id, "name": i.display_name}
            for i in answer.identities
            if i.identity_id != record.caller.identity
        ]


def candidates(context: dict[str, Any]) -> list[Candidate]:
    """Everything in a frozen context that a reference may mean."""
    return [
        *(Candidate("thread", t["id"], t["title"], t["version"]) for t in context["threads"]),
        *(Candidate("endpoint", e["id"], e["name"], e["version"]) for e in context["endpoints"]),
        # Read only once a plan names one.
        *(Candidate("identity", i["id"], i["name"], "") for i in context.get("identities", ())),
    ]


def latest(said: Sequence[dict[str, str]], room: int) -> list[dict[str, str]]:
    """The last of what was said, as much as there is room for; the very last in any case."""
    kept: list[dict[str, str]] = []
    for message in reversed(said):
        room -= len(message["content"])
        if kept and room < 0:
            break
        kept.append(message)
    return kept[::-1]


def sphere_name(sphere: Sphere) -> str:
    """A sphere's word; empty where none is given."""
    return "" if not sphere else Sphere.Name(sphere).removeprefix("SPHERE_").lower()


def read_only(record: RunRecord) -> bool:
    """Whether the run's thread is another identity's, which shares it."""
    threads = record.journal.get("context", {}).get("threads", ())
    return any(t["id"] == record.run.thread_id and "read_only" in t for t in threads)


def _add_new(known: list[dict[str, Any]], found: Iterable[dict[str, Any]]) -> None:
    ids = {thing["id"] for thing in known}
    known += [thing for thing in found if thing["id"] not in ids]


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.endpoint_id,
        "name": endpoint.name,
        "url": endpoint.url,
        "version": endpoint.etag,
    }


def _thread(thread: Thread, identity: str) -> dict[str, Any]:
    known = {
        "id": thread.thread_id,
        "title": thread.title,
        "sphere": sphere_name(thread.sphere),
        "status": ThreadStatus.Name(thread.status).removeprefix("THREAD_STATUS_").lower(),
        "version": thread.etag,
    }
    return known if thread.owner_identity_id == identity else {**known, "read_only": True}
