"""Known faults, each a change of a line or two, and the tests that must notice it.

Most were shipped by others: see the names of the mistakes in the histories of
outbox libraries, brokers and tamper-evident logs.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """What is planted where: `before` stands once in the file and becomes `after`."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


_RELAY: Final = "tests/integration/kernel/test_relay.py"
_RELAY_FAULTS: Final = "tests/integration/kernel/test_relay_faults.py"
_LOG: Final = "tests/integration/audit/test_log.py"
_ACCESS: Final = "tests/integration/audit/test_access.py"
_DELIVERY: Final = "tests/integration/audit/test_delivery.py"
_WINDOW: Final = """    FROM outbox WHERE xid >= pg_snapshot_xmin({_PREVIOUS})
    AND NOT pg_visible_in_snapshot(xid, {_PREVIOUS})\"\"\""""

FAULTS: Final = (
    Fault(
        "relay by sequence",
        "kernel/relay.py",
        _WINDOW,
        """    FROM outbox WHERE seq > (
        SELECT coalesce(max(s), 0) FROM bundles, unnest(seqs) AS s)\"\"\"""",
        (
            f"{_RELAY}::test_an_event_of_a_transaction_that_commits_late_is_not_skipped",
            f"{_RELAY}::test_writers_rollbacks_and_savepoints_neither_lose_nor_double_an_event",
        ),
    ),
    Fault(
        "relay by bare xmin: a long transaction anywhere stops it",
        "kernel/relay.py",
        _WINDOW,
        """    FROM outbox WHERE xid >= pg_snapshot_xmin({_PREVIOUS})
    AND xid < pg_snapshot_xmin(pg_current_snapshot())\"\"\"""",
        (
            (f"{_RELAY_FAULTS}"
            "::test_a_long_transaction_here_or_in_another_database_holds_up_nobody_else"),
        ),
    ),
    Fault(
        "marked as published although the broker refused",
        "kernel/relay.py",
        """                return
            await connection.execute(_MARK, number)""",
        """            await connection.execute(_MARK, number)""",
        (f"{_RELAY_FAULTS}::test_what_is_not_published_is_published_when_the_broker_is_back",),
    ),
    Fault(
        "release on the broker's acknowledgement",
        "kernel/relay.py",
        'RELEASED_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM receipts"',
        'RELEASED_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM bundles'
        ' WHERE publish_time IS NOT NULL"',
        (
            (f"{_RELAY_FAULTS}"
            "::test_without_a_receipt_a_bundle_is_published_again_as_another_attempt"),
        ),
    ),
    Fault(
        "a restored database is no new generation",
        "kernel/relay.py",
        """            if state["cluster"] != cluster:""",
        """            if not state["cluster"]:""",
        (f"{_RELAY_FAULTS}::test_a_database_that_was_restored_begins_a_new_generation",),
    ),
    Fault(
        "two restores of one dump are one generation",
        "kernel/relay.py",
        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
        "0",
        (f"{_RELAY_FAULTS}::test_two_restores_of_one_dump_are_two_generations",),
    ),
    Fault(
        "published again under the same message id",
        "kernel/messaging.py",
        'f"{source}/{number}/{attempt}"',
        'f"{source}/{number}"',
        (("tests/integration/kernel/test_messaging.py::"
         "test_a_bundle_arrives_and_its_repeat_does_not"),),
    ),
    Fault(
        "receipts are believed unchecked",
        "kernel/source_servicer.py",
        "                await self._check(tx, receipt, released)\n",
        "",
        (("tests/integration/kernel/test_source_interface.py"
         "::test_a_forged_receipt_releases_nothing"),),
    ),
    Fault(
        "a receipt covers what is not in the log",
        "kernel/source_servicer.py",
        "if not set(leaves.values()) <= set(receipt.manifests):",
        "if False:",
        (("tests/integration/kernel/test_source_interface.py"
         "::test_a_receipt_over_a_number_that_means_something_else_in_the_log_releases_nothing"),),
    ),
    Fault(
        "acknowledged before it is committed",
        "services/audit/consumer.py",
        "        stuck = await intake.take(arrived)\n",
        "        await acknowledge(messages)\n        stuck = await intake.take(arrived)\n",
        ("tests/unit/audit/test_consumer.py",),
    ),
    Fault(
        "what is stuck is acknowledged",
        "services/audit/consumer.py",
        "        await acknowledge([m for m in messages if source_of(m.subject) not in stuck])\n",
        "        await acknowledge(messages)\n",
        ("tests/unit/audit/test_consumer.py",),
    ),
    Fault(
        "repeats are recognised by the broker's window only",
        "services/audit/intake.py",
        "        if await is_in_the_log(tx, bundle.leaves[-1]):",
        "        if False:",
        (f"{_LOG}::test_a_bundle_that_comes_three_times_is_stored_once",),
    ),
    Fault(
        "the same id with other bytes is dropped in silence",
        "services/audit/intake.py",
        "        elif held[leaf.event_id] != leaf.hash:",
        "        elif False:",
        (f"{_LOG}::test_the_same_id_with_other_bytes_is_kept_as_a_conflict",),
    ),
    Fault(
        "poison is skipped",
        "services/audit/reading.py",
        "    leaves = [read_event(event, source) for event in bundle.events]",
        "    leaves = [e for e in (read_event(event, source) for event in bundle.events)"
        ' if e.kind == "event"]',
        (f"{_LOG}::test_poison_goes_to_quarantine_with_a_leaf_and_the_rest_goes_on",),
    ),
    Fault(
        "bundles are taken without a look at their manifest",
        "services/audit/reading.py",
        "    if manifest.root != root_of(leaf_hash(event) for event in bundle.events):",
        "    if False:",
        (f"{_LOG}::test_a_bundle_whose_events_are_not_its_manifests_is_quarantined",),
    ),
    Fault(
        "a hole in the numbers is passed over",
        "services/audit/intake.py",
        "range(held.number + 1, max(bundles)[1])",
        "range(0)",
        (f"{_LOG}::test_a_lost_bundle_is_fetched_from_its_source_and_order_is_kept",),
    ),
    Fault(
        "a source that counts again is taken for one that repeats itself",
        "services/audit/intake.py",
        "        forward = generation > held.generation\n",
        "        return [], held\n",
        (f"{_DELIVERY}::test_a_source_restored_from_an_older_dump_goes_on_and_loses_nothing",),
    ),
    Fault(
        "versions of streams are not counted",
        "services/audit/streams.py",
        '        if leaf.kind == "event" and leaf.stream and leaf.version:',
        "        if False:",
        (f"{_DELIVERY}::test_a_version_that_never_came_is_fetched_from_its_source",),
    ),
    Fault(
        "the log is never compared with its hashes",
        "services/audit/scrubbing.py",
        "sha256(decode('00', 'hex') || e.leaf) <> e.leaf_hash",
        "false",
        (f"{_DELIVERY}::test_an_entry_that_was_taken_out_or_changed_is_an_alert",),
    ),
    Fault(
        "append-only by triggers for rows",
        "kernel/migration/helpers.py",
        'f" FOR EACH STATEMENT EXECUTE FUNCTION {schema()}.refuse_change()"',
        'f" FOR EACH ROW EXECUTE FUNCTION {schema()}.refuse_change()"',
        (f"{_ACCESS}::test_the_log_cannot_be_changed_by_any_role",),
    ),
    Fault(
        "append-only until somebody switches triggers off",
        "kernel/migration/helpers.py",
        '    op.execute(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER append_only")\n',
        "",
        (f"{_ACCESS}::test_the_log_cannot_be_changed_by_any_role",),
    ),
    Fault(
        "a verifier that trusts the tail",
        "cli/verification/live.py",
        "    if len(hashes) < head.size:",
        "    if not hashes:",
        ("tests/unit/cli/test_log_verification.py::test_a_missing_leaf_hash_is_found",),
    ),
    Fault(
        "a verifier that recomputes no root",
        "cli/verification/live.py",
        "    if root_of(hashes) != head.root:",
        "    if False:",
        ("tests/unit/cli/test_log_verification.py::test_a_changed_leaf_hash_is_found",),
    ),
    Fault(
        "a verifier that believes every earlier head",
        "cli/verification/search.py",
        "                self.misfit = head.size",
        "                self.fits = head.size",
        ("tests/unit/cli/test_search.py",),
    ),
    Fault(
        "a verifier that misses nothing that was never told",
        "cli/verification/completeness.py",
        "        if version > expected:",
        "        if False:",
        ("tests/unit/cli/test_completeness.py",),
    ),
    Fault(
        "records of every tenant for anybody",
        "services/audit/log_files.py",
        "        self._auditors.require(caller)\n",
        "",
        (("tests/integration/audit/test_tiles.py"
          "::test_records_of_all_tenants_are_for_whom_the_settings_name"),),
    ),
    Fault(
        "an inclusion proof may end early",
        "kernel/receipts.py",
        """    if last or reached != root:
        raise ReceiptInvalid("the path does not lead to the root")""",
        """    if reached != root:
        raise ReceiptInvalid("the path does not lead to the root")""",
        ("tests/unit/audit/test_tree.py",),
    ),
    Fault(
        "digests of content that anybody can guess",
        "kernel/audit_event.py",
        'hmac.digest(key, text.encode(), "sha256")',
        'hmac.digest(b"", text.encode(), "sha256")',
        ("tests/unit/kernel/test_audit_envelope.py",),
    ),
    Fault(
        "an erasure that ends before every service has answered",
        "services/audit/erasures.py",
        " WHERE erasure_id = :erasure_id AND remaining = '{}' AND finish_time IS NULL RETURNING *",
        " WHERE erasure_id = :erasure_id AND finish_time IS NULL RETURNING *",
        (
            ("tests/laws/test_erasure.py"
            "::test_an_erasure_cut_short_is_gone_on_with_and_gets_its_outcome"),
        ),
    ),
    Fault(
        "an identity that outlives its transaction",
        "kernel/database.py",
        "f\" set_config('chenu.identity', '{caller.identity}', true),\"",
        "f\" set_config('chenu.identity', '{caller.identity}', false),\"",
        ("tests/integration/kernel/test_row_level_security.py",),
    ),
    Fault(
        "evidence is believed without counting its votes",
        "cli/verification/evidence_votes.py",
        """        if len(given) < stage["required"]:""",
        """        if len(given) < 0:""",
        ("tests/unit/cli/test_evidence.py::test_a_lie_that_the_log_was_made_to_sign_is_named",),
    ),
    Fault(
        "evidence leaves without what the log proves of it",
        "services/governance/evidence/export.py",
        "            if told_alike(records, rows):",
        "            if records is not None:",
        ("tests/integration/governance/test_evidence.py",),
    ),
)  # fmt: skip
