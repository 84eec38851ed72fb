"""What a vote is judged by is read by one statement, and the vote stored by another."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0022"
down_revision = "0021"

# For the rest of the transaction it is seen what the person may decide, or what anybody else sees
# who asks for that identity: of a group, nobody sees what the one before did.
LOOK = """
CREATE FUNCTION governance.look(people boolean, roles text[], ahead interval) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    principals jsonb := '[]';
    persons uuid[];
    taken text[];
BEGIN
    IF NOT people THEN
        PERFORM set_config('chenu.voters', '', true), set_config('chenu.voter_roles', '', true);
        RETURN principals;
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('person', d.person, 'identity', d.identity)
            ORDER BY d.person, d.create_time), '[]'),
        coalesce(array_agg(d.person), '{}'),
        coalesce(array_agg('owner:' || d.person), '{}')
    INTO principals, persons, taken
    FROM governance.deputies AS d
    WHERE d.deputy = current_setting('chenu.person')::uuid AND d.dismiss_time IS NULL
        AND d.end_time > clock_timestamp() + ahead;
    IF principals <> '[]' THEN
        SELECT taken || coalesce(array_agg(DISTINCT role), '{}') INTO taken
        FROM governance.deputies AS d, unnest(d.roles) AS role
        WHERE d.deputy = current_setting('chenu.person')::uuid AND d.dismiss_time IS NULL
            AND d.end_time > clock_timestamp() + ahead;
    END IF;
    PERFORM
        set_config('chenu.voters',
            (persons || current_setting('chenu.person')::uuid)::text, true),
        set_config('chenu.voter_roles', (taken || roles)::text, true);
    RETURN principals;
END $$"""

BEFORE_VOTE = """
CREATE FUNCTION governance.before_vote(asked jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    principals constant jsonb := governance.look((asked ->> 'people')::boolean,
        ARRAY(SELECT jsonb_array_elements_text(asked -> 'roles')),
        (asked ->> 'offset')::interval);
    found jsonb;
BEGIN
    SELECT to_jsonb(d) || jsonb_build_object(
        'new', false,
        'execution', e.state,
        'principals', principals,
        'now', clock_timestamp(),
        'risk', coalesce(x.facts ->> 'risk', d.facts ->> 'risk', 'unspecified'),
        'action', a.action,
        'cast_before', (SELECT jsonb_build_array(v.option, coalesce(w.comment, ''))
            FROM governance.votes AS v LEFT JOIN governance.comments AS w USING (vote_id)
            WHERE v.token_id = asked ->> 'token'),
        'checkpoint', to_jsonb(c) || jsonb_build_object(
            'reason', '',
            'edited_action', n.action,
            'editors', ARRAY(SELECT one.person FROM governance.edits AS one
                WHERE one.checkpoint_id = c.checkpoint_id),
            'approvers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'person', v.person, 'identity', v.voter_identity, 'stage', v.stage,
                    'seat', coalesce(v.seat, v.person),
                    'seat_identity', coalesce(v.seat_identity, v.voter_identity))
                    ORDER BY v.create_time), '[]')
                FROM governance.votes AS v WHERE v.checkpoint_id = c.checkpoint_id
                    AND v.revision = c.revision AND v.view_digest = c.etag
                    AND v.option = 'approve')))
    INTO found
    FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        LEFT JOIN governance.executions AS e USING (decision_id)
        LEFT JOIN governance.actions AS a USING (decision_id)
        LEFT JOIN governance.edits AS x
            ON x.checkpoint_id = c.checkpoint_id AND x.revision = c.revision
        LEFT JOIN governance.edited_views AS n
            ON n.checkpoint_id = c.checkpoint_id AND n.revision = c.revision
    WHERE c.checkpoint_id = (asked ->> 'checkpoint')::uuid;
    RETURN coalesce(found, '{}');
END $$"""

# The checkpoint is looked at once more while its row is held: whatever has changed since the vote
# was judged, the person's seat and the time among it, the vote is handed back. A row that somebody
# else holds is handed back, too: nobody waits for another's while a group holds rows.
CAST_VOTE = """
CREATE FUNCTION governance.cast_vote(vote jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    current_epoch bigint;
    held governance.checkpoints%ROWTYPE;
BEGIN
    IF governance.look((vote ->> 'people')::boolean,
        ARRAY(SELECT jsonb_array_elements_text(vote -> 'roles')),
        (vote ->> 'offset')::interval) <> vote -> 'principals' THEN
        RETURN '{"cast": false}';
    END IF;
    SELECT * INTO held FROM governance.checkpoints
    WHERE checkpoint_id = (vote #>> '{row,checkpoint_id}')::uuid FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR held.version <> (vote ->> 'version')::bigint
        OR held.expire_time <= clock_timestamp() + (vote ->> 'offset')::interval THEN
        RETURN '{"cast": false}';
    END IF;
    INSERT INTO governance.votes (vote_id, checkpoint_id, tenant, identity, revision, person,
        voter_identity, actor, option, view_digest, session, authentication, token_id, stage,
        seat, seat_identity, token, token_key)
    SELECT r.vote_id, held.checkpoint_id, held.tenant, held.identity, held.revision, r.person,
        r.voter_identity, r.actor, r.option, held.etag, r.session, r.authentication, r.token_id,
        r.stage, r.seat, r.seat_identity, r.token, r.token_key
    FROM jsonb_populate_record(NULL::governance.votes, vote -> 'row') AS r;
    IF vote ->> 'comment' <> '' THEN
        INSERT INTO governance.comments (vote_id, tenant, identity, comment)
        VALUES ((vote #>> '{row,vote_id}')::uuid, held.tenant, held.identity, vote ->> 'comment');
        UPDATE governance.views SET resolution_reason = vote ->> 'comment'
        WHERE checkpoint_id = held.checkpoint_id;
    END IF;
    UPDATE governance.checkpoints SET state = vote ->> 'state', version = version + 1,
        valid_until = (vote ->> 'valid_until')::timestamptz, claimed_by = NULL, claim_until = NULL,
        resolve_time = CASE WHEN vote ->> 'state' <> 'pending'
            THEN clock_timestamp() + (vote ->> 'offset')::interval END
    WHERE checkpoint_id = held.checkpoint_id;
    IF vote ->> 'state' <> 'pending' AND held.run <> '' THEN
        INSERT INTO governance.resolutions (checkpoint_id, tenant, identity, run, state)
        VALUES (held.checkpoint_id, held.tenant, held.identity, held.run, vote ->> 'state');
    END IF;
    INSERT INTO governance.outbox (id, stream, version, event)
    SELECT (one ->> 'id')::uuid, one ->> 'stream', (one ->> 'version')::bigint,
        convert_to(one ->> 'event', 'UTF8')
    FROM jsonb_array_elements(vote -> 'events') AS one;
    SELECT epoch INTO current_epoch FROM governance.freeze;
    RETURN jsonb_build_object('cast', true, 'freeze_epoch', current_epoch, 'issued_at', moment,
        'freeze', governance.stopped(vote -> 'about'));
END $$"""

_FREEZE = "SELECT jsonb_build_object('freeze_id', freeze_id, 'create_time', create_time)"
_COVERS = """
    FROM governance.freezes
    WHERE lift_time IS NULL AND (scope = 'all'
        OR tenant = current_setting('chenu.tenant')::uuid AND CASE scope
            WHEN 'tenant' THEN true
            WHEN 'agent' THEN value = item ->> 'agent'
            WHEN 'tool' THEN value = item ->> 'tool'
            WHEN 'kind' THEN value = item ->> 'kind' END)
    ORDER BY epoch LIMIT 1"""
# Part of 0012's `standing` until now.
STOPPED = f"""
CREATE FUNCTION governance.stopped(item jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ({_FREEZE}{_COVERS});
END $$"""


def upgrade() -> None:
    op.execute(STOPPED)
    op.execute("GRANT EXECUTE ON FUNCTION governance.stopped(jsonb) TO governance_app")
    before = import_module("services.governance.migrations.0012_grants").STANDING
    op.execute(
        before.replace(f"{_FREEZE} INTO stopped{_COVERS};", "stopped := governance.stopped(item);")
    )
    op.execute(LOOK)
    op.execute(
        "GRANT EXECUTE ON FUNCTION governance.look(boolean, text[], interval) TO governance_app"
    )
    op.execute(BEFORE_VOTE)
    grouped_write("before_vote")
    op.execute(CAST_VOTE)
    grouped_write("cast_vote")


def downgrade() -> None:
    for function in ("cast_vote_group", "cast_vote", "before_vote_group", "before_vote", "look"):
        op.execute(f"DROP FUNCTION governance.{function}")
    op.execute(import_module("services.governance.migrations.0012_grants").STANDING)
    op.execute("DROP FUNCTION governance.stopped")
