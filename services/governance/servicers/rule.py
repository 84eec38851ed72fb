"""RuleService: what governance goes by, and how that changes."""

from __future__ import annotations

import asyncio
from typing import Any

from chenu.governance.v1 import rule_service_pb2 as messages
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceServicer
from kernel.context import current
from services.governance.messages import moment
from services.governance.operations import Operations
from services.governance.policy import rule_documents
from services.governance.policy.constitution import LAWS, UNMATCHED_TEXT, as_markdown
from services.governance.policy.dry_runs import DryRuns
from services.governance.policy.promotion import Promotion
from services.governance.policy.replays import LIMIT, Replays
from services.governance.policy.rule_book import RuleBook
from services.governance.policy.rule_revisions import RuleRevisions, check_keeper
from services.governance.policy.rule_trials import Trials
from services.governance.policy.shadows import Shadows


class RuleServicer(RuleServiceServicer):
    """Reading, writing, trying out and promoting rules."""

    def __init__(
        self,
        *,
        book: RuleBook,
        revisions: RuleRevisions,
        trials: Trials,
        dry_runs: DryRuns,
        replays: Replays,
        shadows: Shadows,
        promotion: Promotion,
        operations: Operations,
    ) -> None:
        self._book, self._revisions, self._trials = book, revisions, trials
        self._dry_runs, self._replays, self._shadows = dry_runs, replays, shadows
        self._promotion, self._operations = promotion, operations

    async def ListRules(
        self, request: messages.ListRulesRequest, context: Any
    ) -> messages.ListRulesResponse:
        rules = (await self._book.refresh(current().caller)).live
        return messages.ListRulesResponse(
            rules=map(rule_documents.message, rules.rules),
            counters=rule_documents.counters(rules.counters),
            revision=rules.revision,
        )

    async def GetConstitution(
        self, request: messages.GetConstitutionRequest, context: Any
    ) -> messages.GetConstitutionResponse:
        rules = self._book.built_in
        return messages.GetConstitutionResponse(
            laws=[messages.Law(title=law.title, text=law.text) for law in LAWS],
            rules=map(rule_documents.message, rules.rules),
            unmatched=UNMATCHED_TEXT,
            text=as_markdown(rules),
            revision=rules.revision,
        )

    async def CreateRuleRevision(
        self, request: messages.CreateRuleRevisionRequest, context: Any
    ) -> messages.CreateRuleRevisionResponse:
        revision = await self._revisions.create(current().caller, request)
        return messages.CreateRuleRevisionResponse(revision=revision)

    async def GetRuleRevision(
        self, request: messages.GetRuleRevisionRequest, context: Any
    ) -> messages.GetRuleRevisionResponse:
        revision = await self._revisions.get(current().caller, request.revision)
        return messages.GetRuleRevisionResponse(revision=revision)

    async def ListRuleRevisions(
        self, request: messages.ListRuleRevisionsRequest, context: Any
    ) -> messages.ListRuleRevisionsResponse:
        page, token = await self._revisions.page(current().caller, request)
        return messages.ListRuleRevisionsResponse(revisions=page, next_page_token=token)

    async def ListRuleLabels(
        self, request: messages.ListRuleLabelsRequest, context: Any
    ) -> messages.ListRuleLabelsResponse:
        labels = await self._revisions.labels(current().caller)
        return messages.ListRuleLabelsResponse(labels=labels)

    async def SetRuleLabel(
        self, request: messages.SetRuleLabelRequest, context: Any
    ) -> messages.SetRuleLabelResponse:
        label = await self._revisions.point(current().caller, request.label, request.revision)
        return messages.SetRuleLabelResponse(label=label)

    async def TestRules(
        self, request: messages.TestRulesRequest, context: Any
    ) -> messages.TestRulesResponse:
        caller = current().caller
        rules = await self._revisions.rules(caller, request.revision, _document(request))
        results = await asyncio.to_thread(self._trials.test, caller, rules, request.cases)
        failed = sum(not result.passed for result in results)
        return messages.TestRulesResponse(results=results, failed=failed)

    async def EvaluateAction(
        self, request: messages.EvaluateActionRequest, context: Any
    ) -> messages.EvaluateActionResponse:
        caller = current().caller
        evaluation = await self._dry_runs.evaluate(
            caller,
            await self._revisions.rules(caller, request.revision),
            request.action,
            requires_checkpoint=request.requires_checkpoint,
        )
        return messages.EvaluateActionResponse(evaluation=evaluation)

    async def ReplayDecisions(
        self, request: messages.ReplayDecisionsRequest, context: Any
    ) -> messages.ReplayDecisionsResponse:
        caller = current().caller
        check_keeper(caller)
        replay = await self._replays.show(
            caller,
            await self._revisions.rules(caller, request.revision, _document(request)),
            limit=request.limit or LIMIT,
            start=moment(request.start_time) if request.HasField("start_time") else None,
            end=moment(request.end_time) if request.HasField("end_time") else None,
        )
        return messages.ReplayDecisionsResponse(replay=replay)

    async def ListShadowVerdicts(
        self, request: messages.ListShadowVerdictsRequest, context: Any
    ) -> messages.ListShadowVerdictsResponse:
        page, token = await self._shadows.page(current().caller, request)
        return messages.ListShadowVerdictsResponse(verdicts=page, next_page_token=token)

    async def PromoteRules(
        self, request: messages.PromoteRulesRequest, context: Any
    ) -> messages.PromoteRulesResponse:
        return await self._promotion.ask(self._operations, current().caller, request)


def _document(request: Any) -> Any:
    return request.document if request.HasField("document") else None
