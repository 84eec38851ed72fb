"""`python -m services.llm`: the wiring, by hand, in order."""

from chenu.llm.v1.completion_service_pb2_grpc import add_CompletionServiceServicer_to_server
from chenu.llm.v1.ledger_service_pb2_grpc import add_LedgerServiceServicer_to_server
from kernel.grouped_write import GroupedWriter
from kernel.service import Program, Service, main
from services.llm.anthropic_client import AnthropicClient
from services.llm.completions import Completions, route
from services.llm.servicers import CompletionServicer, LedgerServicer
from services.llm.settings import LlmSettings


async def assemble(service: Service[LlmSettings]) -> None:
    """Put the service together."""
    for model in service.settings.models:
        route(service.settings, model)  # a wrong setting stops the start, not the first call
    client = AnthropicClient(service.settings)
    service.on_stop(client.close)
    ledger = GroupedWriter(service.database, function="llm.record_call")
    completions = Completions(ledger, client, service.settings)
    service.add_servicer(add_CompletionServiceServicer_to_server, CompletionServicer(completions))
    service.add_servicer(
        add_LedgerServiceServicer_to_server, LedgerServicer(service.database, service.page_tokens)
    )


PROGRAM = Program("llm", LlmSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
