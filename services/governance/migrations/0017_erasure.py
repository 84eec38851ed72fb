"""A person is forgotten: what was asked, shown and said goes; what was decided by whom stays.

A question of theirs that still waits runs out of time: nobody could see any more what it asks.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import create_eraser, drop_eraser, policy

revision = "0017"
down_revision = "0016"

TABLES = (
    "actions", "views", "edited_views", "comments", "remarks", "freezes", "grants", "checkpoints",
)  # fmt: skip
# Each guard lets the owner do the one thing more that forgetting takes.
GUARDS = {
    "0006_voters": (
        "    NEW.changed := pg_current_xact_id();\n",
        """    NEW.changed := pg_current_xact_id();
    IF current_user = 'governance_owner' AND to_jsonb(NEW) - '{expire_time,valid_until,changed}'
        ::text[] = to_jsonb(OLD) - '{expire_time,valid_until,changed}'::text[] THEN
        RETURN NEW;
    END IF;
""",
    ),
    "0005_freezes": (
        "    IF OLD.lift_time IS NOT NULL\n",
        """    IF OLD.lift_time IS NOT NULL AND (NEW.reason = OLD.reason
            OR to_jsonb(NEW) - 'reason' <> to_jsonb(OLD) - 'reason')
""",
    ),
    "0012_grants": (
        "        OR OLD.revoke_time IS NOT NULL THEN\n",
        """        OR OLD.revoke_time IS NOT NULL AND (NEW.terms = OLD.terms
            OR to_jsonb(NEW) - 'terms' <> to_jsonb(OLD) - 'terms') THEN
""",
    ),
}


def guards(*, forgetting: bool) -> None:
    """The guards as they were, or with the one thing more."""
    for script, (before, after) in GUARDS.items():
        text = str(import_module(f"services.governance.migrations.{script}").GUARD)
        if text.count(before) != 1:
            raise RuntimeError(f"migration {script} is not what this one builds on")
        text = text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        op.execute(text.replace(before, after) if forgetting else text)


def upgrade() -> None:
    guards(forgetting=True)
    create_eraser(
        TABLES,
        "UPDATE checkpoints SET expire_time = clock_timestamp() WHERE :own"
        " AND state = 'pending' AND expire_time > clock_timestamp()",
        "UPDATE checkpoints SET valid_until = clock_timestamp() WHERE :own"
        " AND state = 'approved' AND NOT executed AND valid_until > clock_timestamp()",
        "DELETE FROM actions WHERE :own",
        "DELETE FROM edited_views WHERE :own",
        "DELETE FROM views WHERE :own",
        "UPDATE views SET resolution_reason = '' WHERE resolution_reason <> ''"
        " AND checkpoint_id IN (SELECT checkpoint_id FROM votes"
        " WHERE tenant = of_tenant AND person = of_person)",
        "DELETE FROM comments WHERE :own OR vote_id IN (SELECT vote_id FROM votes"
        " WHERE tenant = of_tenant AND person = of_person)",
        "DELETE FROM remarks WHERE :own OR tenant = of_tenant AND person = of_person",
        "UPDATE freezes SET reason = '' WHERE tenant = of_tenant AND person = of_person"
        " AND reason <> ''",
        "UPDATE grants SET terms = jsonb_set(terms, '{constraints}', '[]'),"
        " revoke_time = coalesce(revoke_time, clock_timestamp()) WHERE :own"
        " AND (revoke_time IS NULL OR terms -> 'constraints' <> '[]')",
    )
    policy("votes", "eraser", role="owner", command="SELECT", using="true")


def downgrade() -> None:
    op.execute("DROP POLICY eraser ON governance.votes")
    drop_eraser(TABLES)
    guards(forgetting=False)
