"""`python -m services.identity` serves; `rotate-keys` after it makes the next token key."""

import asyncio
import sys
from datetime import timedelta
from functools import partial
from typing import Final

from chenu.events.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from chenu.identity.v1.agent_service_pb2_grpc import add_AgentServiceServicer_to_server
from chenu.identity.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server
from chenu.identity.v1.channel_grant_service_pb2_grpc import (
    add_ChannelGrantServiceServicer_to_server,
)
from chenu.identity.v1.eligibility_service_pb2_grpc import (
    add_EligibilityServiceServicer_to_server,
)
from chenu.identity.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from chenu.identity.v1.people_service_pb2_grpc import add_PeopleServiceServicer_to_server
from chenu.identity.v1.subject_key_service_pb2_grpc import (
    add_SubjectKeyServiceServicer_to_server,
)
from chenu.identity.v1.token_service_pb2_grpc import add_TokenServiceServicer_to_server
from kernel.database import Database
from kernel.service import Program, Service, main
from kernel.settings import SettingsError, SharedSettings, load
from kernel.subject_servicer import SubjectServicer
from kernel.tokens import SigningKey
from services.identity.agents import Agents
from services.identity.attempts import Attempts
from services.identity.ballots import Ballots
from services.identity.channel_grants import ChannelGrants
from services.identity.delegations import Delegations
from services.identity.eligibility import EligibilityChecks
from services.identity.identities import Identities
from services.identity.key_rotation import rotate_keys
from services.identity.logins import Logins
from services.identity.passwords import Passwords
from services.identity.people import People
from services.identity.personal import SubjectKeys
from services.identity.refresh_tokens import RefreshTokens
from services.identity.service_keys import (
    ServiceKeys,
    register_service_keys,
    register_what_comes,
)
from services.identity.servicers.agent import AgentServicer
from services.identity.servicers.auth import AuthServicer
from services.identity.servicers.channel_grant import ChannelGrantServicer
from services.identity.servicers.eligibility import EligibilityServicer
from services.identity.servicers.identity import IdentityServicer
from services.identity.servicers.people import PeopleServicer
from services.identity.servicers.subject_key import SubjectKeyServicer
from services.identity.servicers.token import TokenServicer
from services.identity.session_secrets import SessionSecrets
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.stream_tickets import StreamTickets
from services.identity.sweeper import sweep_forever
from services.identity.token_keys import TokenKeys
from services.identity.tokens import Tokens
from services.identity.users import Users
from services.identity.vote_tokens import VoteTokens

_ROTATE: Final = "rotate-keys"


async def assemble(service: Service[IdentitySettings]) -> None:
    """Put the service together: keys, use cases, servicers, background work."""
    own_key = _checked(service)
    settings, database = service.settings, service.database
    keys = token_keys(service.shared, settings)
    keys.ensure()
    service.keys.source = keys.key_set
    await register_service_keys(service.worker, service.shared.keys_dir)
    sweep = partial(sweep_forever, service.worker, keys, settings.sweep_seconds)
    service.background("identity.sweeper", sweep)
    come = partial(register_what_comes, service.worker, service.shared.keys_dir)
    service.background("identity.service_keys", come)

    subject_keys = SubjectKeys(database, own_key.secret("subject keys"))
    tokens, sessions = Tokens(keys, settings), Sessions(settings, subject_keys)
    passwords = Passwords(settings)
    attempts = Attempts(settings, own_key.secret("attempts"))
    identities = Identities(database, sessions, tokens, service.page_tokens)
    secrets = SessionSecrets(database, settings)
    agents = Agents(
        database, secrets, sessions, tokens,
        attempts=attempts, pages=service.page_tokens, settings=settings,
    )  # fmt: skip
    delegations = Delegations(database, tokens, settings)
    auth = AuthServicer(
        Users(database, sessions, tokens, passwords, attempts, settings.clock_offset),
        Logins(database, sessions, tokens, passwords, attempts),
        RefreshTokens(database, sessions, tokens, settings),
        identities,
    )
    vote_tokens = VoteTokens(database, secrets, sessions, tokens)
    service_keys = ServiceKeys(database, tokens)
    tickets = StreamTickets(database, keys, sessions, tokens)
    token = TokenServicer(keys, vote_tokens, delegations, service_keys, agents, tickets)

    add = service.add_servicer
    add(add_AuthServiceServicer_to_server, auth)
    add(add_IdentityServiceServicer_to_server, IdentityServicer(identities))
    add(add_AgentServiceServicer_to_server, AgentServicer(agents))
    add(
        add_ChannelGrantServiceServicer_to_server,
        ChannelGrantServicer(
            ChannelGrants(database, secrets, sessions, tokens, service.page_tokens, settings),
            Ballots(database, sessions, tokens, settings),
        ),
    )
    people = People(database, secrets, sessions, service.page_tokens, settings.clock_offset)
    add(add_PeopleServiceServicer_to_server, PeopleServicer(people))
    add(add_TokenServiceServicer_to_server, token)
    add(add_SubjectKeyServiceServicer_to_server, SubjectKeyServicer(subject_keys))
    add(add_EligibilityServiceServicer_to_server, EligibilityServicer(EligibilityChecks(database)))
    subjects = SubjectServicer(service.name, service.worker)
    add(add_SubjectServiceServicer_to_server, subjects)


PROGRAM: Final = Program("identity", IdentitySettings, assemble)


def _checked(service: Service[IdentitySettings]) -> SigningKey:
    """The service's own key; SettingsError with all that is missing or must not be."""
    settings, key, problems = service.settings, service.key, []
    if key is None:
        problems.append(f"CHENU_KEYS_DIR: {service.shared.keys_dir} holds no identity.pem")
    if settings.clock_offset and service.shared.environment == "production":
        problems.append("CHENU_IDENTITY_CLOCK_OFFSET_SECONDS: it is for tests only")
    if key is None or problems:
        raise SettingsError("\n".join(problems))
    return key


def token_keys(shared: SharedSettings, settings: IdentitySettings) -> TokenKeys:
    """The folder of the token keys, as the settings say."""
    return TokenKeys(
        shared.keys_dir / "tokens",
        lead=timedelta(seconds=settings.key_lead_seconds),
        overlap=timedelta(hours=settings.key_overlap_hours),
        offset=settings.clock_offset,
    )


async def rotate() -> str:
    """What `rotate-keys` does and prints."""
    shared, settings = load(SharedSettings, IdentitySettings)
    worker = await Database.connect(settings.worker_database_url, schema="identity", pool_size=1)
    try:
        kid, begins = await rotate_keys(worker, token_keys(shared, settings))
    finally:
        await worker.close()
    return f"tokens are signed with {kid} from {begins:%Y-%m-%d %H:%M:%S} UTC on"


if __name__ == "__main__":
    if sys.argv[1:] == [_ROTATE]:
        sys.stdout.write(asyncio.run(rotate()) + "\n")
    elif sys.argv[1:]:
        sys.exit(f"usage: python -m services.identity [{_ROTATE}]")
    else:
        main(PROGRAM)
