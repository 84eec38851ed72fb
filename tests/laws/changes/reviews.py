"""Changes at governance that decide nothing: claims, remarks, deputies."""

from typing import Any

from chenu.governance.v1 import deputy_service_pb2 as deputies
from chenu.governance.v1 import review_service_pb2 as reviews
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from tests.laws.changes.governance import waiting
from tests.laws.changes.identity import colleague
from tests.laws.changes.scene import Call, Prepare, Scene
from tests.laws.reviewing import a_deputy
from tests.support.deputies import appointment


def review(rpc: str, *before: str, **fields: Any) -> Prepare:
    """An RPC about a checkpoint that waits, after others about the same one."""

    async def prepare(s: Scene) -> Call:
        named = {"checkpoint_id": (await waiting(s)).checkpoint_id}
        stub = s.stub(ReviewServiceStub, "governance")
        for other in before:
            request = getattr(reviews, f"{other}Request")(**named)
            await getattr(stub, other)(request, metadata=s.me.me)
        if rpc == "AssignCheckpoint":
            named["person_id"] = s.me.session.session.user.user_id
        request = getattr(reviews, f"{rpc}Request")(**named, **fields)
        return lambda: getattr(stub, rpc)(request, metadata=s.me.me)

    return prepare


async def edit(s: Scene) -> Call:
    at = await waiting(s)
    request = reviews.EditCheckpointRequest(
        checkpoint_id=at.checkpoint_id, etag=at.view_digest, arguments='{"query": "y"}'
    )
    stub = s.stub(ReviewServiceStub, "governance")
    return lambda: stub.EditCheckpoint(request, metadata=s.me.me)


async def appoint_deputy(s: Scene) -> Call:
    request = appointment(await colleague(s))
    stub = s.stub(DeputyServiceStub, "governance")
    return lambda: stub.AppointDeputy(request, metadata=s.me.me)


async def dismiss_deputy(s: Scene) -> Call:
    request = deputies.DismissDeputyRequest(deputy_id=await a_deputy(s.me))
    stub = s.stub(DeputyServiceStub, "governance")
    return lambda: stub.DismissDeputy(request, metadata=s.me.me)
