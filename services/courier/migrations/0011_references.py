"""What names an endpoint is compared as Nova compares it: case and white space do not count."""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0011"
down_revision = "0010"

# White space is what Python splits at; case is folded as Python folds it.
FOLDED = r"""
CREATE FUNCTION courier.folded(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN casefold(btrim(regexp_replace($1,
    '[\s\u001c-\u001f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'
)) COLLATE pg_catalog.pg_unicode_fast)
"""


def upgrade() -> None:
    op.execute(FOLDED)
    grant_execute("folded(text)")


def downgrade() -> None:
    op.execute("DROP FUNCTION courier.folded(text)")
