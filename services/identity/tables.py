"""The tables of the schema `identity`.

What is personal (e-mail, names) stands apart in `user_profiles`, `identities`
and `agents`, where it can be changed and erased; everything else, and all
history, knows people by their ids. Secrets are there as digests only.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from kernel.idempotency import requests_table
from kernel.outbox import NOW, outbox_tables

metadata = MetaData(schema="identity")
outbox_tables(metadata)
requests_table(metadata)

KINDS: Final = ("PERSONAL", "ENTERPRISE", "CREATIVE", "DESIGN", "ARCHITECTURE", "CONSTRUCTION")
METHODS: Final = ("mail", "chat")
CAUSES: Final = ("logged_out", "refresh_token_reused", "password_changed")


def _id(name: str, **options: Any) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), **({"nullable": False} | options))


def _time(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **({"nullable": False} | options))


def _within(table: str, *columns: str) -> ForeignKeyConstraint:
    """Keys of two columns: what belongs to one person cannot refer to what is another's."""
    return ForeignKeyConstraint(columns, [f"identity.{table}.{column}" for column in columns])


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


tenants = Table(
    "tenants", metadata,
    _id("tenant_id", primary_key=True),
    _id("founder_id"),
    _time("create_time", server_default=NOW),
)  # fmt: skip

users = Table(
    "users", metadata,
    _id("user_id", primary_key=True),
    _id("tenant_id"),
    Column("roles", ARRAY(Text), nullable=False),
    _time("create_time", server_default=NOW),
    _time("deactivate_time", nullable=True),
    _within("tenants", "tenant_id"),
    Index("users_tenant", "user_id", "tenant_id", unique=True),
    Index("users_tenant_id", "tenant_id"),
)  # fmt: skip

subject_keys = Table(
    "subject_keys", metadata,
    _id("person_id", primary_key=True),
    _id("tenant_id"),
    Column("wrapped_key", LargeBinary),
    _time("create_time", server_default=NOW),
    _time("destroy_time", nullable=True),
    CheckConstraint(
        "(wrapped_key IS NULL) = (destroy_time IS NOT NULL)", name="subject_keys_destroyed"
    ),
)  # fmt: skip

user_profiles = Table(
    "user_profiles", metadata,
    _id("user_id", primary_key=True),
    _id("tenant_id"),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    _within("users", "user_id", "tenant_id"),
    Index("user_profiles_email_key", "email_key", unique=True),
)  # fmt: skip

invitations = Table(
    "invitations", metadata,
    _id("invitation_id", primary_key=True),
    _id("tenant_id"),
    _id("inviter_id"),
    Column("roles", ARRAY(Text), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    _time("create_time", server_default=NOW),
    _time("expire_time"),
    _time("accept_time", nullable=True),
    _id("user_id", nullable=True),
    CheckConstraint("(accept_time IS NULL) = (user_id IS NULL)", name="invitations_accepted"),
    ForeignKeyConstraint(
        ["inviter_id", "tenant_id"], ["identity.users.user_id", "identity.users.tenant_id"]
    ),
    Index("invitations_secret_hash", "secret_hash", unique=True),
)  # fmt: skip

credentials = Table(
    "credentials", metadata,
    _id("user_id", primary_key=True),
    _id("tenant_id"),
    Column("password_hash", Text, nullable=False),
    _time("update_time", server_default=NOW),
    _within("users", "user_id", "tenant_id"),
)  # fmt: skip

identities = Table(
    "identities", metadata,
    _id("identity_id", primary_key=True),
    _id("tenant_id"),
    _id("user_id"),
    Column("type", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    _time("create_time", server_default=NOW),
    _within("users", "user_id", "tenant_id"),
    CheckConstraint(_one_of("type", KINDS), name="identities_type"),
    Index("identities_user", "identity_id", "user_id", unique=True),
    Index("identities_user_id", "user_id"),
    Index("identities_default", "user_id", unique=True, postgresql_where=text("is_default")),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    _id("session_id", primary_key=True),
    _id("tenant_id"),
    _id("user_id"),
    _id("identity_id"),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("amr", ARRAY(Text), nullable=False),
    _time("create_time"),
    _time("expire_time"),
    _time("end_time", nullable=True),
    Column("end_cause", Text),
    _within("users", "user_id", "tenant_id"),
    _within("identities", "identity_id", "user_id"),
    CheckConstraint(_one_of("end_cause", CAUSES), name="sessions_end_cause"),
    CheckConstraint("(end_time IS NULL) = (end_cause IS NULL)", name="sessions_end"),
    Index("sessions_user", "session_id", "user_id", unique=True),
    Index("sessions_secret_hash", "secret_hash", unique=True),
    Index("sessions_open", "user_id", "expire_time", postgresql_where=text("end_time IS NULL")),
)  # fmt: skip

refresh_tokens = Table(
    "refresh_tokens", metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    _id("session_id"),
    _id("tenant_id"),
    _id("user_id"),
    _time("expire_time"),
    _time("use_time", nullable=True),
    _within("users", "user_id", "tenant_id"),
    _within("sessions", "session_id", "user_id"),
    Index("refresh_tokens_expire_time", "expire_time"),
)  # fmt: skip

agents = Table(
    "agents", metadata,
    _id("agent_id", primary_key=True),
    _id("tenant_id"),
    _id("user_id"),
    _id("identity_id"),
    Column("display_name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    _time("create_time", server_default=NOW),
    _time("fire_time", nullable=True),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("always_gated", Boolean, nullable=False, server_default=text("false")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _within("users", "user_id", "tenant_id"),
    _within("identities", "identity_id", "user_id"),
    Index("agents_identity", "agent_id", "identity_id", unique=True),
    Index("agents_identity_id", "identity_id"),
)  # fmt: skip

delegations = Table(
    "delegations", metadata,
    _id("delegation_id", primary_key=True),
    _id("tenant_id"),
    _id("user_id"),
    _id("identity_id"),
    _id("agent_id", nullable=True),
    _id("session_id", nullable=True),
    _time("deadline"),
    _time("create_time", server_default=NOW),
    _within("users", "user_id", "tenant_id"),
    _within("identities", "identity_id", "user_id"),
    _within("agents", "agent_id", "identity_id"),
    _within("sessions", "session_id", "user_id"),
    CheckConstraint("num_nonnulls(agent_id, session_id) = 1", name="delegations_stand_on_one"),
    Index("delegations_deadline", "deadline"),
)  # fmt: skip

channel_grants = Table(
    "channel_grants", metadata,
    _id("grant_id", primary_key=True),
    _id("tenant_id"),
    _id("user_id"),
    _id("identity_id"),
    _id("session_id"),
    _id("channel_id"),
    Column("method", Text, nullable=False),
    Column("ballots", Integer, nullable=False, server_default=text("0")),
    _time("create_time", server_default=NOW),
    _time("expire_time"),
    _time("revoke_time", nullable=True),
    _within("users", "user_id", "tenant_id"),
    _within("identities", "identity_id", "user_id"),
    _within("sessions", "session_id", "user_id"),
    CheckConstraint(_one_of("method", METHODS), name="channel_grants_method"),
    Index("channel_grants_channel", "identity_id", "channel_id"),
    Index("channel_grants_expire_time", "expire_time"),
)  # fmt: skip

service_keys = Table(
    "service_keys", metadata,
    Column("kid", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    _time("create_time", server_default=NOW),
    _time("end_time", nullable=True),
    Index("service_keys_one", "service", unique=True, postgresql_where=text("end_time IS NULL")),
)  # fmt: skip

spent_assertions = Table(
    "spent_assertions", metadata,
    Column("service", Text, primary_key=True),
    Column("token_id", Text, primary_key=True),
    _time("expire_time"),
    Index("spent_assertions_expire_time", "expire_time"),
)  # fmt: skip

attempts = Table(
    "attempts", metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("count", Integer, nullable=False),
    _time("window_end"),
    Column("is_refused", Boolean, nullable=False),
    Index("attempts_window_end", "window_end"),
)  # fmt: skip
