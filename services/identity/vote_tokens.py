"""Vote tokens: what the session secret buys, and nothing else does."""

from chenu.identity.v1.token_service_pb2 import IssueVoteTokenRequest
from chenu_gate.view import batch_digest
from kernel.database import Database
from kernel.grouped_write import GroupedWriter, TouchedNoRow
from services.identity import audit_events
from services.identity.errors import SessionInvalid
from services.identity.session_secrets import SessionSecrets
from services.identity.sessions import Sessions
from services.identity.tokens import Issued, Tokens


class VoteTokens:
    """Tokens for one vote on one view."""

    def __init__(
        self, database: Database, secrets: SessionSecrets, sessions: Sessions, tokens: Tokens
    ) -> None:
        self._hold = GroupedWriter(database, "identity.hold_session")
        self._secrets, self._sessions, self._tokens = secrets, sessions, tokens

    async def issue(self, request: IssueVoteTokenRequest) -> Issued:
        """For the checkpoint and the view that the person saw."""
        voter, amr = await self._secrets.holder(request.session_secret, request.identity_id)
        batch = batch_digest((one.checkpoint_id, one.view_digest) for one in request.ballots)
        issued = self._tokens.vote(
            voter, request.checkpoint_id, request.view_digest, amr,
            batch=batch if request.ballots else "",
        )  # fmt: skip
        event = audit_events.vote_token_issued(
            voter,
            request.checkpoint_id or "batch",
            request.view_digest or batch,
            issued.token_id,
        )
        try:
            await self._hold.write(voter, self._sessions.held(voter), [event])
        except TouchedNoRow:  # it has ended since it was found
            raise SessionInvalid from None
        return issued
