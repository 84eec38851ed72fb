"""A person is forgotten: what their runs hold goes, and a run that has not ended is cancelled."""

from kernel.migration.helpers import create_eraser, drop_eraser

revision = "0003"
down_revision = "0002"

TABLES = ("runs", "run_contents", "run_delegations")


def upgrade() -> None:
    create_eraser(
        TABLES,
        # 9 is CANCELLED. Whoever works on it has lost it, and writes nothing more.
        "UPDATE runs SET state = 9, worker_id = NULL, cancel_reason = NULL,"
        " update_time = clock_timestamp() WHERE :own AND state <= 3",
        "UPDATE runs SET cancel_reason = NULL WHERE :own AND cancel_reason IS NOT NULL",
        "DELETE FROM run_contents WHERE :own",
        "DELETE FROM run_delegations WHERE :own",
    )


def downgrade() -> None:
    drop_eraser(TABLES)
