"""PeopleService on the wire."""

from chenu.identity.v1.people_service_pb2 import (
    DeactivatePersonRequest,
    DeactivatePersonResponse,
    InvitePersonRequest,
    InvitePersonResponse,
    ListPeopleRequest,
    ListPeopleResponse,
    SetPersonRolesRequest,
    SetPersonRolesResponse,
)
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceServicer
from kernel.context import current
from services.identity.people import People


class PeopleServicer(PeopleServiceServicer):
    """The people of the caller's tenant."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def InvitePerson(
        self, request: InvitePersonRequest, _context: object
    ) -> InvitePersonResponse:
        return await self._people.invite(current().caller, request)

    async def ListPeople(self, request: ListPeopleRequest, _context: object) -> ListPeopleResponse:
        return await self._people.list(current().caller, request)

    async def SetPersonRoles(
        self, request: SetPersonRolesRequest, _context: object
    ) -> SetPersonRolesResponse:
        person = await self._people.set_roles(current().caller, request)
        return SetPersonRolesResponse(person=person)

    async def DeactivatePerson(
        self, request: DeactivatePersonRequest, _context: object
    ) -> DeactivatePersonResponse:
        person = await self._people.deactivate(current().caller, request)
        return DeactivatePersonResponse(person=person)
