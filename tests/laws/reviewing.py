"""What people do about each other's checkpoints, for those who try it on a stranger's."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from chenu.governance.v1 import deputy_service_pb2 as deputies
from chenu.governance.v1 import review_service_pb2 as reviews
from chenu.identity.v1 import people_service_pb2 as people
from chenu.identity.v1.auth_service_pb2 import RegisterRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from tests.support.deputies import appoint, appointment
from tests.support.fleet import PASSWORD, Client

_ETAG: Final = "sha256:" + "0" * 64


BY_ID: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "ClaimCheckpoint": ("waiting", lambda i: reviews.ClaimCheckpointRequest(checkpoint_id=i)),
    "ReleaseCheckpoint": ("waiting", lambda i: reviews.ReleaseCheckpointRequest(checkpoint_id=i)),
    "AssignCheckpoint": (
        "waiting",
        lambda i: reviews.AssignCheckpointRequest(checkpoint_id=i, person_id=str(uuid4())),
    ),
    "CommentCheckpoint": (
        "waiting",
        lambda i: reviews.CommentCheckpointRequest(checkpoint_id=i, text="x"),
    ),
    "EditCheckpoint": (
        "waiting",
        lambda i: reviews.EditCheckpointRequest(checkpoint_id=i, etag=_ETAG, arguments="{}"),
    ),
    "AppointDeputy": ("person", appointment),
    "DismissDeputy": ("deputy", lambda i: deputies.DismissDeputyRequest(deputy_id=i)),
    "SetPersonRoles": ("person", lambda i: people.SetPersonRolesRequest(person_id=i)),
    "DeactivatePerson": ("person", lambda i: people.DeactivatePersonRequest(person_id=i)),
}


def with_session(request: Any, me: Client) -> Any:
    """The request, with the secret of my session where it takes one."""
    if "session_secret" in request.DESCRIPTOR.fields_by_name:
        request.session_secret = me.session.session_secret
    return request


async def join(me: Client, *roles: str) -> Client:
    """Somebody who takes up my invitation."""
    identity = me.fleet.channel("identity")
    invited = await PeopleServiceStub(identity).InvitePerson(
        people.InvitePersonRequest(roles=roles, session_secret=me.session.session_secret),
        metadata=me.me,
    )
    joined = await AuthServiceStub(identity).Register(
        RegisterRequest(
            email=f"{uuid4()}@chenu.example",
            password=PASSWORD,
            display_name="Bea",
            invitation_secret=invited.invitation_secret,
        )
    )
    return Client(me.fleet, joined)


async def a_deputy(me: Client) -> str:
    """The id of an appointment: a new colleague votes in my place."""
    return await appoint(me, await join(me))
