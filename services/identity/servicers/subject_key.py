"""SubjectKeyService on the wire."""

from chenu.identity.v1 import subject_key_service_pb2 as messages
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceServicer
from services.identity.personal import SubjectKeys


class SubjectKeyServicer(SubjectKeyServiceServicer):
    """For audit alone."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys

    async def GetSubjectKey(
        self, request: messages.GetSubjectKeyRequest, _context: object
    ) -> messages.GetSubjectKeyResponse:
        key = await self._keys.get(request.tenant_id, request.person_id)
        return messages.GetSubjectKeyResponse(key=key or b"")

    async def DestroySubjectKey(
        self, request: messages.DestroySubjectKeyRequest, _context: object
    ) -> messages.DestroySubjectKeyResponse:
        destroyed, identities = await self._keys.destroy(request.tenant_id, request.person_id)
        return messages.DestroySubjectKeyResponse(destroyed=destroyed, identity_ids=identities)
