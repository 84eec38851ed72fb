"""A stand-in for governance, for the tests of executors: it permits anything, and hears outcomes.

async with StandInGovernance() as governance:      # a gRPC server on a free port
    shared = SharedSettings(governance_address=governance.address, ...)
    permit = governance.permit(action)             # of a new decision
    permit = governance.permit(action, decision=decision, now=…, …)
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.governance.v1 import (
    authorization_service_pb2,
    authorization_service_pb2_grpc,
    notice_service_pb2,
    notice_service_pb2_grpc,
    outcome_service_pb2,
    outcome_service_pb2_grpc,
)
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu_gate.action import Action
from chenu_gate.permit import Permit, mint
from kernel.tokens import SigningKey
from tests.support.waiting import PATIENCE


class StandInGovernance:
    """Mints permits with a key of its own, and remembers what executors report."""

    def __init__(self) -> None:
        self.key = SigningKey(Ed25519PrivateKey.generate())
        self.address = ""
        self.outcomes: dict[str, outcome_service_pb2.Outcome] = {}
        """By decision, as reported."""
        self.settled: dict[str, ExecutionState] = {}
        """By decision: what a person says that it came to, where an executor does not know."""
        self.heard = asyncio.Condition()
        self.away = False
        """While set, outcomes are refused as UNAVAILABLE."""
        self.key_set_calls = 0
        self.notices: dict[str, notice_service_pb2.GetNoticeResponse] = {}
        """By id, until they are acknowledged."""
        self._server = grpc.aio.server()

    async def __aenter__(self) -> Self:
        authorization_service_pb2_grpc.add_AuthorizationServiceServicer_to_server(
            _KeySet(self), self._server
        )
        outcome_service_pb2_grpc.add_OutcomeServiceServicer_to_server(_Outcomes(self), self._server)
        notice_service_pb2_grpc.add_NoticeServiceServicer_to_server(_Notices(self), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    def permit(
        self,
        action: Action,
        /,
        *,
        decision: str = "",
        now: datetime | None = None,
        key: SigningKey | None = None,
        **changes: Any,
    ) -> str:
        """A permit for the action; `changes` replace fields of the permit."""
        permit = Permit.for_action(
            action,
            permit_id=str(uuid4()),
            decision=decision or str(uuid4()),
            freeze_epoch=0,
            now=now or datetime.now(UTC),
        )
        signer = key or self.key
        return mint(replace(permit, **changes), signer.private, signer.kid)

    def rotate(self) -> None:
        """From now on another key signs; the old one is no longer published."""
        self.key = SigningKey(Ed25519PrivateKey.generate())

    async def outcome(
        self, decision: str, *, state: ExecutionState | None = None
    ) -> outcome_service_pb2.Outcome:
        """What was reported of the decision, as soon as it is (and is that state)."""

        def known() -> bool:
            found = self.outcomes.get(decision)
            return found is not None and state in (None, found.state)

        async with asyncio.timeout(PATIENCE), self.heard:
            await self.heard.wait_for(known)
        return self.outcomes[decision]


class _KeySet(authorization_service_pb2_grpc.AuthorizationServiceServicer):
    def __init__(self, governance: StandInGovernance) -> None:
        self._governance = governance

    async def GetPermitKeySet(self, _request: Any, _context: Any) -> Any:
        self._governance.key_set_calls += 1
        jwks = json.dumps({"keys": [self._governance.key.jwk]})
        return authorization_service_pb2.GetPermitKeySetResponse(jwks=jwks)


class _Outcomes(outcome_service_pb2_grpc.OutcomeServiceServicer):
    def __init__(self, governance: StandInGovernance) -> None:
        self._governance = governance

    async def ReportOutcomes(self, request: Any, context: Any) -> Any:
        if self._governance.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        async with self._governance.heard:
            for outcome in request.outcomes:
                self._governance.outcomes[outcome.decision_id] = outcome
            self._governance.heard.notify_all()
        unknown = [
            one.decision_id
            for one in request.outcomes
            if one.state == ExecutionState.EXECUTION_STATE_UNKNOWN
        ]
        return outcome_service_pb2.ReportOutcomesResponse(
            settled=[
                outcome_service_pb2.Outcome(decision_id=one, state=state, reason="RECONCILED")
                for one in unknown
                if (state := self._governance.settled.get(one))
            ]
        )


class _Notices(notice_service_pb2_grpc.NoticeServiceServicer):
    def __init__(self, governance: StandInGovernance) -> None:
        self._governance = governance

    async def ListNotices(self, _request: Any, context: Any) -> Any:
        if self._governance.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        told = self._governance.notices.values()
        return notice_service_pb2.ListNoticesResponse(notices=[one.notice for one in told])

    async def GetNotice(self, request: Any, context: Any) -> Any:
        told = self._governance.notices.get(request.notice_id)
        if told is None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not there")
        return told

    async def AcknowledgeNotices(self, request: Any, _context: Any) -> Any:
        for notice_id in request.notice_ids:
            self._governance.notices.pop(notice_id, None)
        return notice_service_pb2.AcknowledgeNoticesResponse()
