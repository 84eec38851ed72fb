"""Ask a model: route, dial, check who answered, and leave a ledger row whatever came of it."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from chenu.llm.v1.completion_pb2 import Completion
from chenu.llm.v1.completion_service_pb2 import CompleteRequest, StreamCompleteResponse
from kernel.caller import Caller
from kernel.context import new_id
from kernel.errors import InvalidArgument, ServiceError
from kernel.grouped_write import GroupedWriter
from services.llm import audit_events
from services.llm.anthropic_client import AnthropicClient
from services.llm.errors import AnswerUnusable, ModelMismatch, ModelNotAllowed, ProviderUnavailable
from services.llm.routes import PROVIDER, ClaudeRoute, RouteRefused, is_claude
from services.llm.settings import LlmSettings
from services.llm.stream import Assembly
from services.llm.wire import MALFORMED, from_wire, to_wire

_LONGEST_NAME: Final = 100
_LONGEST: Final = 1 << 20


@dataclass(slots=True)
class _Call:
    """One call to a provider, from dialling to its ledger row."""

    request: CompleteRequest
    route: ClaudeRoute
    call_id: str = field(default_factory=new_id)
    started: float = field(default_factory=time.monotonic)
    completion: Completion = field(default_factory=Completion)
    outcome: str = "CANCELLED"

    def entry(self) -> dict[str, Any]:
        """The ledger row."""
        return {
            "call_id": self.call_id,
            "run_id": self.request.run_id,
            "provider": PROVIDER,
            "model_requested": self.route.model,
            # Whatever the other side calls itself, the row can hold it.
            "model_answered": self.completion.model.replace("\0", "")[:_LONGEST_NAME],
            "host": self.route.host,
            "simulated": self.route.simulated,
            "input_tokens": self.completion.usage.input_tokens,
            "output_tokens": self.completion.usage.output_tokens,
            "duration_millis": int((time.monotonic() - self.started) * 1000),
            "outcome": self.outcome,
        }


class Completions:
    """The use cases of the completion service."""

    def __init__(
        self, ledger: GroupedWriter, client: AnthropicClient, settings: LlmSettings
    ) -> None:
        self._ledger, self._client, self._settings = ledger, client, settings

    async def complete(self, caller: Caller, request: CompleteRequest) -> Completion:
        """Ask and wait for the whole answer."""
        call = self._dial(request)
        body = _body(call)
        try:
            call.completion = _read(await self._client.create(body))
            return self._accepted(call)
        except ServiceError as error:
            call.outcome = error.reason
            raise
        finally:
            await self._record(caller, call)

    async def stream(
        self, caller: Caller, request: CompleteRequest
    ) -> AsyncIterator[StreamCompleteResponse]:
        """Ask and pass text on as it comes; the whole completion at the end."""
        call, assembly = self._dial(request), Assembly()
        body = _body(call, stream=True)
        try:
            async with aclosing(self._client.stream(body)) as events:
                async for event in events:
                    text = _add(assembly, event)
                    if assembly.model:
                        _check_model(assembly.model)
                    if text:
                        yield StreamCompleteResponse(text_delta=text)
                    if assembly.complete:
                        break
            if not assembly.complete:
                raise ProviderUnavailable("the provider's stream ended before its answer did")
            call.completion = _read(assembly.message())
            yield StreamCompleteResponse(completion=self._accepted(call))
        except ServiceError as error:
            call.outcome = error.reason
            raise
        finally:
            if not call.completion.model:
                with suppress(*MALFORMED):  # as far as it can be read; the row comes anyway
                    call.completion = from_wire({**assembly.message(), "content": []})
            await self._record(caller, call)

    def _dial(self, request: CompleteRequest) -> _Call:
        model = request.model or self._settings.models[0]
        if model not in self._settings.models:
            raise ModelNotAllowed(
                "this role may not use that model",
                model=model,
                allowed=", ".join(self._settings.models),
            )
        return _Call(request, route(self._settings, model))

    def _accepted(self, call: _Call) -> Completion:
        completion = call.completion
        _check_model(completion.model)
        completion.call_id, completion.provider = call.call_id, PROVIDER
        completion.host, completion.simulated = call.route.host, call.route.simulated
        call.outcome = "OK"
        return completion

    async def _record(self, caller: Caller, call: _Call) -> None:
        entry = call.entry()
        await self._ledger.write(caller, entry, [audit_events.call_recorded(entry)])


def route(settings: LlmSettings, model: str) -> ClaudeRoute:
    """The route to a model under these settings; ModelNotAllowed where there is none."""
    try:
        return ClaudeRoute(model, settings.anthropic_url, settings.simulator_host)
    except RouteRefused as refusal:
        raise ModelNotAllowed(str(refusal), model=model) from None


def _check_model(answered: str) -> None:
    """Brokers and look-alikes answer with other models under Claude's names, or under none."""
    if not is_claude(answered):
        raise ModelMismatch("another model answered; its answer was thrown away")


def _read(message: Mapping[str, Any]) -> Completion:
    try:
        completion = from_wire(message)
    except MALFORMED:
        raise AnswerUnusable("the provider's message cannot be read") from None
    if completion.ByteSize() > _LONGEST:
        raise AnswerUnusable("the model's answer is longer than any that was asked for")
    return completion


def _add(assembly: Assembly, event: dict[str, Any]) -> str:
    try:
        return assembly.add(event)
    except MALFORMED:
        raise ProviderUnavailable("the provider's stream is broken") from None


def _body(call: _Call, *, stream: bool = False) -> bytes:
    try:
        return to_wire(call.request, call.route.model, stream=stream)
    except ValueError:
        raise InvalidArgument(
            "a tool's input_schema or input is not JSON", field="request.tools"
        ) from None
