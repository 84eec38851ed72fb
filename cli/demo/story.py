"""The story: a request, a block, cheats that fail, an approval, one execution, a proof."""

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from cli.audit_verify import verification_view
from cli.connection import Connection
from cli.demo import cheats
from cli.demo.records import executions, records_of, records_table
from cli.demo.stage import Stage
from cli.demo.telling import Story
from cli.endpoints import create_endpoint
from cli.evidence import fetch_evidence
from cli.login import log_in, register_person
from cli.problems import Problem
from cli.run_view import lanes_table, run_view
from cli.running import classify, execute, wait_for
from cli.verification.evidence import verify_evidence
from cli.verification.keys import read_keys, split_keys
from cli.verification.live import verify_log
from cli.view import checkpoint_view
from cli.view_check import checked_view
from cli.voting import approve_checkpoint, get_checkpoint, reject_checkpoint
from cli.watching import get_run

BLOCKED = "FAILED_PRECONDITION · CHECKPOINT_REQUIRED"
FOREIGN = "PERMISSION_DENIED · FORBIDDEN"
WRONG_TOKEN = "PERMISSION_DENIED · CALLER_NOT_ALLOWED"  # noqa: S105 - the name of a refusal
TITLE = "Old tax notes"


async def play(story: Story, stage: Stage) -> None:
    """All of it; StepFailed at the first step that comes out otherwise."""
    ada, mallory = stage.person("ada"), stage.person("mallory")
    try:
        await _arrive(story, stage, ada, mallory)
        thread_id = await _ask_for_something_harmless(story, ada)
        checkpoint = await _ask_for_something_that_could_hurt(story, ada, thread_id)
        await _cheat(story, ada, mallory, checkpoint)
        await _misuse_a_permit(story, ada, mallory)
        await _approve(story, ada, checkpoint, thread_id)
        await _send_a_webhook(story, stage, ada)
        await _say_no(story, ada)
        await _prove(story, ada, checkpoint)
    finally:
        await ada.close()
        await mallory.close()


async def _arrive(story: Story, stage: Stage, ada: Connection, mallory: Connection) -> None:
    story.chapter("Two people")
    user = stage.demo_user()
    await story.step("Ada logs in: chenu login", log_in(ada, user["email"], user["password"]))
    await story.step(
        "Mallory makes an account of her own",
        register_person(mallory, "mallory@chenu.example", "not-so-secret-1", "Mallory"),
    )


async def _ask_for_something_harmless(story: Story, ada: Connection) -> str:
    story.chapter("An allowed request")
    text = f'Create a thread called "{TITLE}"'
    run = await story.step(f"chenu run '{text}'", execute(ada, text))
    story.show(run_view(run))
    found = await cheats.threads_called(ada, TITLE)
    story.check("there is exactly one such thread", len(found), 1)
    return found[0]


async def _ask_for_something_that_could_hurt(
    story: Story, ada: Connection, thread_id: str
) -> Checkpoint:
    story.chapter("A blocked one")
    text = f'Delete the thread "{TITLE}"'
    intent = await story.step(f"chenu classify '{text}'", classify(ada, text))
    story.check("it is taken for a delete", intent.kind, "delete")
    problem = await story.refused(f"chenu run '{text}'", BLOCKED, execute(ada, text))
    checkpoint = await story.step(
        "chenu show: what exactly would run", _first_blocked(ada, problem)
    )
    story.show(checkpoint_view(checkpoint, checked_view(checkpoint)))
    await story.step("nothing has happened yet", _get_thread(ada, thread_id))
    return checkpoint


async def _cheat(
    story: Story, ada: Connection, mallory: Connection, checkpoint: Checkpoint
) -> None:
    story.chapter("Attempts to cheat")
    what, etag = checkpoint.checkpoint_id, checkpoint.etag
    await story.refused("Mallory looks at it", FOREIGN, get_checkpoint(mallory, what))
    await story.refused(
        "Mallory approves it, with a vote token of hers",
        FOREIGN,
        approve_checkpoint(mallory, what, etag),
    )
    await story.refused(
        "Ada's agent approves it", WRONG_TOKEN, cheats.vote_as_agent(ada, checkpoint)
    )
    await story.refused(
        "somebody approves it with Ada's access token",
        WRONG_TOKEN,
        cheats.vote_with_access_token(ada, checkpoint),
    )
    await story.refused(
        "Ada approves a view that is no longer the present one",
        "ABORTED · ETAG_MISMATCH",
        approve_checkpoint(ada, what, cheats.STALE),
    )


async def _misuse_a_permit(story: Story, ada: Connection, mallory: Connection) -> None:
    title = "Paid taxes"
    permitted = await story.step(
        "a program of Ada's asks governance to create a thread: a permit for ten seconds",
        cheats.permit_to_create(ada, title),
    )
    await story.refused(
        "it runs an altered action with that permit",
        "PERMISSION_DENIED · PERMIT_ACTION",
        cheats.run_altered(ada, permitted),
    )
    await story.refused(
        "it shows the permit to another executor",
        "PERMISSION_DENIED · PERMIT_AUDIENCE",
        cheats.run_with(ada, permitted, at="courier"),
    )
    await story.refused(
        "Mallory runs it with the stolen permit",
        "PERMISSION_DENIED · PERMIT_IDENTITY",
        cheats.run_with(mallory, permitted),
    )
    await story.step("it runs what was permitted", cheats.run_with(ada, permitted))
    replayed = await story.step("it replays the permit", cheats.run_with(ada, permitted))
    story.check("the replay only got the first answer again", replayed.repeated_answer, True)
    found = await cheats.threads_called(ada, title)
    story.check("there is one such thread, not two", len(found), 1)


async def _approve(story: Story, ada: Connection, checkpoint: Checkpoint, thread_id: str) -> None:
    story.chapter("The approval, and the run that goes on")
    what, etag = checkpoint.checkpoint_id, checkpoint.etag
    await story.step(
        f"chenu approve {what[-8:]}: Ada, on exactly the view shown above",
        approve_checkpoint(ada, what, etag, "Yes, those are obsolete"),
    )
    await story.refused(
        "she approves it a second time",
        "FAILED_PRECONDITION · CHECKPOINT_NOT_PENDING",
        approve_checkpoint(ada, what, etag),
    )
    run = await story.step("the run goes on by itself", wait_for(ada, checkpoint.run_id))
    story.show(run_view(run))
    story.show(lanes_table(run))
    await story.refused("the thread is gone", FOREIGN, _get_thread(ada, thread_id))


async def _send_a_webhook(story: Story, stage: Stage, ada: Connection) -> None:
    story.chapter("A message to the world outside")
    receiver = stage.receiver
    made = await story.step(
        f"chenu endpoints add Bookkeeping {receiver.url}",
        create_endpoint(ada, "Bookkeeping", receiver.url),
    )
    text = 'Send {"event": "taxes.filed", "year": 2026} to the endpoint "Bookkeeping"'
    problem = await story.refused(f"chenu run '{text}'", BLOCKED, execute(ada, text))
    story.check("nothing was sent before the approval", len(receiver.received), 0)
    checkpoint = await _first_blocked(ada, problem)
    await story.step(
        f"chenu approve {checkpoint.checkpoint_id[-8:]}",
        approve_checkpoint(ada, checkpoint.checkpoint_id, checkpoint.etag),
    )
    await story.step("the run goes on by itself", wait_for(ada, checkpoint.run_id))
    story.check("it arrived, once", len(receiver.received), 1)
    message = receiver.received[0]
    story.show(message.body.decode())
    story.check("its signature is valid", message.signed_with(made.secret), True)


async def _say_no(story: Story, ada: Connection) -> None:
    story.chapter("A no is a no")
    text = 'Transfer the thread "Paid taxes" to business'
    problem = await story.refused(f"chenu run '{text}'", BLOCKED, execute(ada, text))
    checkpoint = await _first_blocked(ada, problem)
    await story.step(
        f"chenu reject {checkpoint.checkpoint_id[-8:]}",
        reject_checkpoint(ada, checkpoint.checkpoint_id, checkpoint.etag, "It stays where it is"),
    )
    await story.refused(
        "the run ends with nothing of it done",
        "PERMISSION_DENIED · CHECKPOINT_REJECTED",
        wait_for(ada, checkpoint.run_id),
    )
    told = await story.step("Nova was told why, and says so", get_run(ada, checkpoint.run_id))
    story.show(run_view(told))
    story.check("in Ada's words", "It stays where it is" in told.answer, True)


async def _prove(story: Story, ada: Connection, checkpoint: Checkpoint) -> None:
    story.chapter("What is on record")
    records = await story.step(
        "chenu audit list: everything that the deletion left behind",
        records_of(ada, checkpoint.run_id),
    )
    story.show(records_table(records))
    executed = executions(records, checkpoint.action_digest)
    story.check("the approved action was executed exactly once", executed, 1)
    keys = split_keys(read_keys("", ada.state.pinned_key))
    checking = verify_log(ada, keys, ada.state.verified_head, lambda *_: None)
    done = await story.step("chenu audit verify", checking)
    story.show(verification_view(done))
    story.check("nothing is wrong with the log", done.problems, [])
    story.check("by the key that was pinned beforehand", str(done.trust), "pinned")
    file = ada.state.folder / "deletion.evidence"
    wanted = ExportEvidenceRequest(checkpoint_id=checkpoint.checkpoint_id)
    file.write_bytes(
        await story.step(
            "chenu evidence export: all of it in one file, for anybody", fetch_evidence(ada, wanted)
        )
    )
    proved = verify_evidence(file, keys, (), lambda *_: None)
    story.show(verification_view(proved))
    story.check("chenu evidence verify proves it from the file alone", proved.problems, [])


async def _first_blocked(ada: Connection, problem: Problem) -> Checkpoint:
    if problem.block is None:
        raise problem
    return await get_checkpoint(ada, problem.block.checkpoints[0].checkpoint_id)


async def _get_thread(ada: Connection, thread_id: str) -> Thread:
    stub = ada.stub(ThreadServiceStub)
    return (await stub.GetThread(GetThreadRequest(thread_id=thread_id))).thread
