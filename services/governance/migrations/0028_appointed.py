"""Deputies are made by what people have approved: the role that serves makes none."""

from alembic import op

from kernel.migration.helpers import PERSON, TENANT, grant, policy

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute("DROP POLICY app_appoint ON governance.deputies")
    op.execute("REVOKE INSERT ON governance.deputies FROM governance_app")
    grant("deputies", worker="INSERT")
    policy("deputies", "worker_appoint", role="worker", command="INSERT", check="true")


def downgrade() -> None:
    op.execute("DROP POLICY worker_appoint ON governance.deputies")
    op.execute("REVOKE INSERT ON governance.deputies FROM governance_worker")
    grant("deputies", app="INSERT")
    own = f"tenant = {TENANT} AND person = {PERSON}"
    policy("deputies", "app_appoint", role="app", command="INSERT", check=own)
