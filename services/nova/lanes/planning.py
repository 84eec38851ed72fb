"""Lane C: ask the model for a plan, and make typed actions of what it proposes."""

import json
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from google.protobuf.json_format import MessageToDict, ParseDict

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.llm.v1.completion_pb2 import Completion, Role, StopReason, Turn
from chenu.llm.v1.completion_pb2 import Tool as ModelTool
from chenu.llm.v1.completion_service_pb2 import CompleteRequest
from chenu.llm.v1.completion_service_pb2_grpc import CompletionServiceStub
from chenu.nova.v1.run_pb2 import Lane, RunAction, RunMode
from chenu_gate.action import Action, ActionKind, Principal, Target
from chenu_gate.refusal import ActionRefused, quoted
from chenu_gate.tools import ArgumentsInvalid, Tool
from kernel.channels import Channels
from services.nova.catalogue import Catalogue
from services.nova.errors import AnswerIncomplete
from services.nova.lanes.context import Contexts, candidates, sphere_name
from services.nova.lanes.refusals import told
from services.nova.plan import Plan, Proposal, read_plan
from services.nova.prompts import FINISH, FINISH_INPUT, SYSTEM, request_turn
from services.nova.record import RunRecord
from services.nova.settings import NovaSettings
from services.nova.targets import Unresolved, bare, question, resolve

_TIMEOUT: Final = 120.0
# As many as governance takes at once.
_MOST_ACTIONS: Final = 32
_TOO_MANY: Final = f"A plan has at most {_MOST_ACTIONS} actions."
_ENDED: Final = frozenset(
    {
        StopReason.STOP_REASON_END_TURN,
        StopReason.STOP_REASON_TOOL_USE,
        StopReason.STOP_REASON_STOP_SEQUENCE,
    }
)
_STOPPED: Final = "The model stopped before the end of its answer; nothing of it was done."
_WHY_NOT: Final = {
    StopReason.STOP_REASON_MAX_TOKENS: "The model's answer was cut off where it became too long;"
    " nothing of it was done. Ask for less at once.",
    StopReason.STOP_REASON_CONTEXT_WINDOW: "What the model had to read became too long for it;"
    " nothing of its answer was done. Ask for less at once.",
    StopReason.STOP_REASON_REFUSAL: "The model declined to answer; nothing was done.",
}
_REFUSED: Final = "Nothing of this plan was done: a tool in it was used wrongly."
_TOO_EARLY: Final = told(
    "NOT_DONE", "Not said yet: a person changed the plan. Answer by what was done."
)
_EDITED: Final = (
    "A person changed this action before approving it. It was done with `arguments`, not with"
    " yours. Do not try yours again."
)
_FINISH: Final = ModelTool(
    name=FINISH,
    description="Says that the tools used in this message are the whole plan.",
    input_schema=json.dumps(FINISH_INPUT),
)


class Planner:
    """Turns a request and its context into a plan of typed actions."""

    def __init__(
        self, channels: Channels, catalogue: Catalogue, contexts: Contexts, settings: NovaSettings
    ) -> None:
        self._model = CompletionServiceStub(channels.channel("llm"))
        self._catalogue, self._contexts, self._settings = catalogue, contexts, settings

    async def ask(self, record: RunRecord) -> Completion:
        """Ask the model once, for an answer that came to its end."""
        record.begin(Lane.LANE_PLAN)
        completion = await self._complete(record)
        record.run.model, record.run.simulated = completion.model, completion.simulated
        if completion.stop_reason not in _ENDED:
            raise AnswerIncomplete(_WHY_NOT.get(completion.stop_reason, _STOPPED))
        return completion

    async def adopt(self, record: RunRecord, completion: Completion) -> None:
        """Journal the answer with the actions it comes to; may be done again until it is done."""
        plan = read_plan(completion.content)
        summary = await self._adopt(record, plan)
        record.journal["turns"].append(
            _turn("assistant", [MessageToDict(block) for block in completion.content])
        )
        record.finish(Lane.LANE_PLAN, summary)

    async def _adopt(self, record: RunRecord, plan: Plan) -> str:
        journal = record.journal
        journal["answer"], journal["final"], journal["refused"] = plan.answer, plan.final, {}
        wanted = self._wanted(record, plan)
        unresolved = [] if journal["refused"] else await self._make_actions(record, wanted)
        if journal["refused"] or unresolved:
            del record.run.actions[len(record.run.actions) - len(record.round_actions()) :]
        if journal["refused"]:
            # The model hears what was wrong and may plan again; nothing of this plan is done.
            journal["final"] = False
            others = [p.use_id for p in plan.proposals] + [plan.finish_use_id] * bool(
                plan.finish_use_id
            )
            journal["refused"] = (
                dict.fromkeys(others, told("NOT_DONE", _REFUSED)) | (journal["refused"])
            )
            return f"plan refused, {len(plan.proposals)} proposals"
        if unresolved:
            journal["answer"], journal["final"] = question(unresolved), True
            return "asks which target is meant"
        return f"actions planned: {len(wanted)}" if wanted else "answer only"

    def _wanted(self, record: RunRecord, plan: Plan) -> list[tuple[Proposal, Tool]]:
        """The proposals with their tools; what is wrong with the others is noted as refused."""
        wanted: list[tuple[Proposal, Tool]] = []
        for number, proposal in enumerate(plan.proposals):
            tool = self._catalogue.find(proposal.tool) if _tools_offered(record) else None
            problem = _TOO_MANY if number >= _MOST_ACTIONS else _problem(tool, proposal)
            if tool is None or problem:
                record.journal["refused"][proposal.use_id] = told("USED_WRONGLY", problem)
            else:
                wanted.append((proposal, tool))
        return wanted

    async def _make_actions(
        self, record: RunRecord, wanted: list[tuple[Proposal, Tool]]
    ) -> list[Unresolved]:
        await self._widen_context(record, wanted)
        known = candidates(record.journal["context"])
        unresolved: list[Unresolved] = []
        for index, (proposal, tool) in enumerate(wanted):
            arguments, targets = dict(proposal.arguments or {}), []
            for target in tool.target_arguments:
                found = resolve(str(arguments[target.argument]), target.type, known)
                if isinstance(found, Unresolved):
                    unresolved.append(found)
                    continue
                arguments[target.argument] = found.id
                version = "" if target.any_version else found.version
                targets.append(Target(target.type, found.id, version, found.name))
            if unresolved:
                continue
            try:
                self._add(record, index, proposal, tool, arguments, targets)
            except ActionRefused as refusal:
                why = told("USED_WRONGLY", str(refusal))
                record.journal["refused"][proposal.use_id] = why
        return unresolved

    async def _widen_context(self, record: RunRecord, wanted: list[tuple[Proposal, Tool]]) -> None:
        """Look up what the model names and lane B did not foresee."""
        context = record.journal["context"]
        known = candidates(context)
        missing: dict[str, list[str]] = {}
        for proposal, tool in wanted:
            for target in tool.target_arguments:
                reference = str((proposal.arguments or {})[target.argument])
                found = resolve(reference, target.type, known)
                # What fits may not be the only one, where nobody has looked for others.
                unsure = self._contexts.unseen(record, target.type, reference)
                if unsure or (isinstance(found, Unresolved) and not found.candidates):
                    missing.setdefault(target.type, []).append(bare(reference))
        if "thread" in missing:
            await self._contexts.add_threads(record, missing["thread"])
        if "endpoint" in missing and not record.journal.get("all_endpoints"):
            await self._contexts.find_endpoints(record, missing["endpoint"])
        if "identity" in missing and "identities" not in context:
            await self._contexts.add_identities(record)

    def _add(
        self,
        record: RunRecord,
        index: int,
        proposal: Proposal,
        tool: Tool,
        arguments: dict[str, Any],
        targets: list[Target],
    ) -> None:
        run, caller = record.run, record.caller
        source, destination = _spheres(record, tool.kind, arguments, targets)
        action = Action(
            kind=tool.kind,
            tool=tool.pinned,
            executor=tool.executor,
            principal=Principal(caller.tenant, caller.person, caller.identity, caller.agent),
            source_sphere=source,
            target_sphere=destination,
            targets=tuple(targets),
            arguments=arguments,
            thread=run.thread_id,
            run=run.run_id,
        )
        request_id = str(uuid5(NAMESPACE_URL, f"chenu:run:{run.run_id}/{run.round}/{index}"))
        record.journal.setdefault("uses", {})[request_id] = proposal.use_id
        record.keep_action(
            RunAction(
                round=run.round,
                index=index,
                tool=tool.name,
                kind=f"ACTION_KIND_{tool.kind.name}",
                arguments=json.dumps(arguments, ensure_ascii=False, sort_keys=True),
                action_digest=action.digest,
                request_id=request_id,
                execution_state=ExecutionState.EXECUTION_STATE_NOT_STARTED,
            ),
            action.canonical(),
        )

    async def _complete(self, record: RunRecord) -> Completion:
        turns = record.journal["turns"]
        if not turns:
            words = request_turn(record.run.text, record.journal["context"])
            turns.append(_turn("user", [{"text": {"text": words}}]))
        tools = _tools_offered(record)
        if tools and not self._catalogue.complete:
            await self._catalogue.refresh()
        answer = await self._model.Complete(
            CompleteRequest(
                role=Role.ROLE_NOVA,
                model=self._settings.model,
                system=SYSTEM,
                turns=[ParseDict(turn, Turn()) for turn in turns],
                tools=[*self._catalogue.for_model, _FINISH] if tools else [],
                max_tokens=self._settings.max_tokens,
                run_id=record.run.run_id,
            ),
            timeout=_TIMEOUT,
        )
        return answer.completion


def tell_results(record: RunRecord) -> None:
    """Add the round's results to the exchange, for the next round's plan."""
    journal = record.journal
    done = {
        journal["uses"][action.request_id]: _told(action)
        for action in record.round_actions()
        if journal["uses"][action.request_id] not in journal["refused"]
    }
    results = [_result(use_id, content, failed=False) for use_id, content in done.items()]
    results += [_result(use_id, why, failed=True) for use_id, why in journal["refused"].items()]
    results += [
        _result(use_id, _TOO_EARLY, failed=False)  # a `finish`
        for use_id in record.last_uses()
        if use_id not in done and use_id not in journal["refused"]
    ]
    journal["turns"].append(_turn("user", results))


def _tools_offered(record: RunRecord) -> bool:
    return record.run.mode != RunMode.RUN_MODE_ANALYSIS


def _problem(tool: Tool | None, proposal: Proposal) -> str:
    if tool is None:
        return f"no tool {quoted(proposal.tool)} was offered"
    if proposal.arguments is None:
        return "the input is not a JSON object"
    try:
        tool.check_arguments(proposal.arguments)
    except ArgumentsInvalid as refusal:
        return str(refusal)
    return ""


def _spheres(
    record: RunRecord, kind: ActionKind, arguments: dict[str, Any], targets: list[Target]
) -> tuple[str, str]:
    """Whence and whither: a request that names no sphere works in its target's own sphere.

    Where there is no target it works in the sphere of its thread. What is transferred comes out of
    its own sphere, wherever the request works; what looks for something keeps to the request's
    sphere, and where there is none, to none.
    """
    spheres = {t["id"]: t["sphere"] for t in record.journal["context"]["threads"]}
    own = next((spheres[t.id] for t in targets if t.id in spheres), "")
    here = own or spheres.get(record.run.thread_id, "")
    anywhere = kind is ActionKind.SEARCH and "sphere" not in arguments
    source = sphere_name(record.run.sphere) or here or ("" if anywhere else "personal")
    if kind is ActionKind.TRANSFER:
        source = own or source
    return source, str(arguments.get("sphere") or own or source)


def _turn(role: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": role, "content": content}


def _told(action: RunAction) -> str:
    """What the model hears of an action, which may not be the one that it proposed."""
    if not action.edited:
        return str(action.result)
    arguments = json.loads(action.arguments)
    return told("EDITED", _EDITED, arguments=arguments, result=action.result)


def _result(use_id: str, content: str, *, failed: bool) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": use_id, "content": content, "isError": failed}}
