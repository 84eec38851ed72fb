"""Tokens for the tests of services, and a stand-in for identity that vouches for them.

    async with StandInIdentity() as identity:          # a gRPC server on a free port
        shared = SharedSettings(identity_address=identity.address)
        person = Person()                              # ids of its own
        metadata = identity.as_human(person)           # for grpc: stub.Get(request, metadata=...)
        metadata = identity.as_nova(person)            # a delegation in Nova's hands
        metadata = identity.as_voter(person, checkpoint_id, view_digest)

It serves what the other services ask of identity: the key set, service tokens
(for whoever asks), renewals, and eligibility (everyone, but for `not_eligible`).
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self
from uuid import uuid4

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.identity.v1 import (
    channel_grant_service_pb2,
    channel_grant_service_pb2_grpc,
    eligibility_service_pb2,
    eligibility_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from chenu_gate.view import batch_digest
from kernel.caller import SYSTEM_TENANT
from kernel.errors import DETAILS_KEY
from kernel.interceptors.authentication import AUTHORIZATION, SERVICE_AUTHORIZATION
from kernel.tokens import KeySet, SigningKey
from services.identity.errors import ChannelGrantEnded

SYSTEM_AUDITOR = "00000000-0000-7000-8000-00000000a0d1"
"""Whom the fleet's settings name as an auditor of the system."""
Metadata = tuple[tuple[str, str], ...]


def _id() -> str:
    return str(uuid4())


@dataclass(frozen=True)
class Person:
    """Somebody with a tenant, an identity and a session of their own."""

    person: str = field(default_factory=_id)
    tenant: str = field(default_factory=_id)
    identity: str = field(default_factory=_id)
    session: str = field(default_factory=_id)
    roles: tuple[str, ...] = ("owner", "auditor")


class TokenMint:
    """Signs every kind of token; `keys` is the KeySet that accepts them."""

    def __init__(self, key: SigningKey | None = None) -> None:
        self.key = key or SigningKey(Ed25519PrivateKey.generate())
        self.keys = KeySet(self.key_set)
        self.owners: dict[str, str] = {}
        """Identity id → the person who holds it, of whoever has had a token from here."""

    async def key_set(self) -> str:
        """The JWKS document."""
        return json.dumps({"keys": [self.key.jwk]})

    def access(self, person: Person, *, agent: str = "", ttl: float = 1800, **changes: Any) -> str:
        """An access token; `changes` replace or add claims."""
        claims = {**self._claims(person, agent), "aud": "chenu", **changes}
        return self.key.sign(claims, typ="access+jwt", ttl=ttl)

    def delegation(
        self, person: Person, *, agent: str = "", ttl: float = 900, **changes: Any
    ) -> str:
        """A delegation to Nova."""
        extra = {"aud": "nova", "act": {"service": "nova"}, "delegation": _id()}
        claims = {**self._claims(person, agent), **extra, **changes}
        return self.key.sign(claims, typ="delegation+jwt", ttl=ttl)

    def vote(
        self, person: Person, checkpoint: str, view_digest: str, *, ttl: float = 60, **changes: Any
    ) -> str:
        """A token for one vote."""
        extra = {"aud": "governance", "checkpoint": checkpoint, "view_digest": view_digest}
        claims = {**self._claims(person, ""), **extra, "amr": ["pwd"], **changes}
        return self.key.sign(claims, typ="vote+jwt", ttl=ttl)

    def channel_grant(self, person: Person, channel: str, **changes: Any) -> str:
        """What courier trades for ballots for a channel."""
        extra = {"aud": "identity", "channel": channel, "grant": _id()}
        claims = {**self._claims(person, ""), **extra, **changes}
        return self.key.sign(claims, typ="channel-grant+jwt", ttl=3600)

    def _claims(self, person: Person, agent: str) -> dict[str, Any]:
        self.owners.setdefault(person.identity, person.person)
        claims: dict[str, Any] = {
            "sub": person.person, "tenant": person.tenant, "identity": person.identity,
            "actor": "agent" if agent else "human", "roles": list(person.roles),
            "sid": person.session,
        }  # fmt: skip
        return claims | ({"agent": agent} if agent else {})

    def service(self, name: str, *, ttl: float = 600, **changes: Any) -> str:
        """A service's own token."""
        claims = {"sub": name, "aud": "chenu", "actor": "service", "tenant": SYSTEM_TENANT}
        return self.key.sign({**claims, **changes}, typ="service+jwt", ttl=ttl)

    def as_human(self, person: Person) -> Metadata:
        """Metadata of a call by the person."""
        return bearer(self.access(person))

    def as_agent(self, person: Person, agent: str) -> Metadata:
        """Metadata of a call by one of the person's agents."""
        return bearer(self.access(person, agent=agent))

    def as_nova(self, person: Person, agent: str = "") -> Metadata:
        """Metadata of a call by Nova under a delegation."""
        return bearer(self.delegation(person, agent=agent), self.service("nova"))

    def as_voter(self, person: Person, checkpoint: str, view_digest: str) -> Metadata:
        """Metadata of one vote."""
        return bearer(self.vote(person, checkpoint, view_digest))

    def as_batch_voter(self, person: Person, ballots: Iterable[tuple[str, str]]) -> Metadata:
        """Metadata of one vote on each of these views."""
        return bearer(self.vote(person, "", "", batch=batch_digest(ballots)))

    def as_service(self, name: str) -> Metadata:
        """Metadata of a call by a service on its own account."""
        return bearer("", self.service(name))


class StandInIdentity(TokenMint):
    """A gRPC server that answers for identity with this mint's keys."""

    def __init__(self, key: SigningKey | None = None) -> None:
        super().__init__(key)
        self.address = ""
        self.not_eligible: dict[str, str] = {}
        """Person id → the reason why their votes do not count."""
        self.roles: dict[str, tuple[str, ...]] = {}
        """Person id → the roles that they have now."""
        self.tenants: dict[str, str] = {}
        """Person id → their tenant; of others, whichever is asked about."""
        self.names: dict[str, str] = {}
        """Person id → what they are called; others are called nothing."""
        self.eligibility_asked: list[eligibility_service_pb2.CheckEligibilityRequest] = []
        self.ended_delegations: set[str] = set()
        """Delegation ids that are not renewed any more."""
        self.ended_grants: set[str] = set()
        """Channel ids whose grants buy no more ballots."""
        self._server = grpc.aio.server()

    def somebody_elses(self) -> str:
        """The id of an identity that nobody who is asked about holds."""
        identity = _id()
        self.owners[identity] = _id()
        return identity

    async def __aenter__(self) -> Self:
        token_service_pb2_grpc.add_TokenServiceServicer_to_server(_Tokens(self), self._server)
        eligibility_service_pb2_grpc.add_EligibilityServiceServicer_to_server(
            _Eligibility(self), self._server
        )
        channel_grant_service_pb2_grpc.add_ChannelGrantServiceServicer_to_server(
            _ChannelGrants(self), self._server
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Be away from now on."""
        await self._server.stop(0)


class _Tokens(token_service_pb2_grpc.TokenServiceServicer):
    def __init__(self, identity: StandInIdentity) -> None:
        self._identity = identity

    async def GetKeySet(self, _request: Any, _context: Any) -> Any:
        return token_service_pb2.GetKeySetResponse(jwks=await self._identity.key_set())

    async def IssueServiceToken(self, request: Any, _context: Any) -> Any:
        name = jwt.decode(request.assertion, options={"verify_signature": False})["sub"]
        return token_service_pb2.IssueServiceTokenResponse(
            service_token=self._identity.service(name)
        )

    async def RenewDelegation(self, request: Any, context: Any) -> Any:
        claims = jwt.decode(request.delegation_token, options={"verify_signature": False})
        if claims["delegation"] in self._identity.ended_delegations:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the delegation has ended")
        for timed in ("exp", "iat", "jti"):
            del claims[timed]
        answer = token_service_pb2.RenewDelegationResponse(
            delegation_token=self._identity.key.sign(claims, typ="delegation+jwt", ttl=900)
        )
        answer.expire_time.FromSeconds(int(time.time()) + 900)
        answer.deadline.FromSeconds(int(time.time() + timedelta(hours=48).total_seconds()))
        return answer


class _ChannelGrants(channel_grant_service_pb2_grpc.ChannelGrantServiceServicer):
    def __init__(self, identity: StandInIdentity) -> None:
        self._identity = identity

    async def IssueBallot(self, request: Any, context: Any) -> Any:
        claims = jwt.decode(request.channel_grant, options={"verify_signature": False})
        if claims["channel"] in self._identity.ended_grants:
            ended = ChannelGrantEnded()
            trailers = ((DETAILS_KEY, ended.status_bytes()),)
            await context.abort(ended.code, str(ended), trailing_metadata=trailers)
        bound = {"checkpoint": request.checkpoint_id, "view_digest": request.view_digest}
        told = {name: claims[name] for name in ("sub", "tenant", "identity", "sid")}
        ballot = self._identity.key.sign(
            {**told, **bound, "aud": "identity"}, typ="ballot+jwt", ttl=3600
        )
        return channel_grant_service_pb2.IssueBallotResponse(ballot=ballot)


class _Eligibility(eligibility_service_pb2_grpc.EligibilityServiceServicer):
    def __init__(self, identity: StandInIdentity) -> None:
        self._identity = identity

    async def CheckEligibility(self, request: Any, _context: Any) -> Any:
        self._identity.eligibility_asked.append(request)
        answer = eligibility_service_pb2.CheckEligibilityResponse()
        for voter in request.voters:
            reason = self._identity.not_eligible.get(voter.person_id, "")
            answer.eligibilities.add(
                person_id=voter.person_id,
                eligible=not reason,
                reason=reason,
                is_owner=not reason and self._owns(voter.person_id, request.owner_identity_id),
                roles=() if reason else self._identity.roles.get(voter.person_id, ()),
            )
        return answer

    async def ListApprovers(self, request: Any, _context: Any) -> Any:
        answer = eligibility_service_pb2.ListApproversResponse()
        for group in request.groups:
            roles = self._identity.roles
            tenants = self._identity.tenants
            named = {*group.person_ids, *(p for p in roles if set(roles[p]) & set(group.roles))}
            named = {p for p in named if tenants.get(p, request.tenant_id) == request.tenant_id}
            if group.anybody:
                named |= {p for p, tenant in tenants.items() if tenant == request.tenant_id}
            if group.owner:
                named.add(self._identity.owners[request.owner_identity_id])
            alive = named - self._identity.not_eligible.keys()
            names = [self._identity.names.get(person, "") for person in sorted(alive)]
            answer.groups.add(
                person_ids=sorted(alive), display_names=names if group.with_names else ()
            )
        return answer

    def _owns(self, person: str, identity: str) -> bool:
        return self._identity.owners[identity] == person


def bearer(token: str, service_token: str = "") -> Metadata:
    """The metadata that carries these tokens."""
    pairs = ((AUTHORIZATION, token), (SERVICE_AUTHORIZATION, service_token))
    return tuple((header, f"Bearer {value}") for header, value in pairs if value)
