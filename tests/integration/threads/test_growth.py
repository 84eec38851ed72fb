"""What is read of one thread is found without reading all the others of its people."""

from typing import Any, Final

import pytest

from tests.support.governance_roles import become
from tests.support.identity import Person
from tests.support.plans import rows_read, telling_plans

KEPT: Final = 1_000
# Beside a tenant that has many threads, many that have few: the planner goes by what most have.
FILL: Final = """
CREATE TEMP TABLE old ON COMMIT DROP AS SELECT uuidv7() AS id,
    CASE WHEN n % 2 = 0 THEN '{tenant}'::uuid ELSE uuidv4() END AS tenant,
    CASE WHEN n % 2 = 0 THEN '{identity}'::uuid ELSE uuidv4() END AS identity
    FROM generate_series(1, 2 * {kept}) AS n;
CREATE TEMP TABLE said ON COMMIT DROP AS
    SELECT old.*, number, uuidv7() AS said FROM old, generate_series(1, 20) AS number;
INSERT INTO threads (thread_id, tenant, owner_identity, founder, title, founding_intent,
    description, sphere, kind, ownership, visibility, status, tags, event_count, version, revision)
SELECT id, tenant, identity, '{person}', 'old ' || id, '', '', 'personal', '', '', '', 'active',
    '{{}}', 1, 1, 1 FROM old;
INSERT INTO thread_events (event_id, thread_id, sequence_number, tenant, type,
    payload_digest, actor_type, actor_id, identity)
SELECT said, id, number, tenant, 't', '', 'human', '{person}', identity FROM said;
INSERT INTO event_payloads (event_id, thread_id, payload) SELECT said, id, '{{}}' FROM said;
INSERT INTO messages (message_id, thread_id, sequence_number, tenant, identity, role, content)
SELECT said, id, number, tenant, identity, 'user', '' FROM said;
INSERT INTO participants (thread_id, identity, tenant, role, person)
SELECT id, uuidv4(), tenant, 'viewer', '{person}' FROM old;
ANALYZE threads, thread_events, event_payloads, messages, participants"""
HISTORY: Final = """
SELECT * FROM thread_events JOIN event_payloads USING (event_id)
WHERE thread_events.thread_id = $1 ORDER BY sequence_number LIMIT 50"""
ADDED: Final = """
INSERT INTO thread_events (event_id, thread_id, sequence_number, tenant, type, payload_digest,
    actor_type, actor_id, identity)
VALUES (uuidv7(), $1, 100, current_setting('chenu.tenant')::uuid, 't', '', 'human', '',
    current_setting('chenu.identity')::uuid)"""


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("own", [True, False])
async def test_whether_a_row_may_be_seen_is_found_without_reading_all_threads_that_may(
    superuser: Any, person: Person, *, own: bool
) -> None:
    ids = {"tenant": person.tenant, "identity": person.identity, "person": person.person}
    async with telling_plans(superuser, "threads"):
        await become(superuser, person)
        await superuser.execute(FILL.format(kept=KEPT, **ids))
        one = await superuser.fetchval(
            "UPDATE threads SET title = 'Mine' WHERE thread_id = (SELECT thread_id FROM threads"
            " WHERE owner_identity = $1 LIMIT 1) RETURNING thread_id",
            person.identity,
        )
        if not own:
            await become(superuser, Person(tenant=person.tenant))
        questions = {
            "history": HISTORY,
            "messages": "SELECT * FROM messages WHERE thread_id = $1",
            "participants": "SELECT * FROM participants WHERE thread_id = $1",
        } | ({"adding": ADDED} if own else {})
        asked = {what: ("threads_app", sql, [one]) for what, sql in questions.items()}
        meant = {"ids": [str(one)], "words": ["mine"], "recent": 0, "messages": 30}
        asked["context"] = ("threads_app", "SELECT threads.context($1::jsonb)", [meant])
        read = await rows_read(superuser, asked)
    assert {what: rows for what, rows in read.items() if rows > KEPT // 4} == {}
