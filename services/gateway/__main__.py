"""`python -m services.gateway`: the wiring, by hand, in order."""

import asyncio

import uvicorn

from kernel.service import Program, Service, main
from services.gateway.app import Gateway
from services.gateway.patience import PatientProtocol
from services.gateway.settings import GatewaySettings


async def assemble(service: Service[GatewaySettings]) -> None:
    """Put the service together: an HTTP server where the others have a gRPC one."""
    host, _, port = service.settings.listen.rpartition(":")
    server = uvicorn.Server(
        uvicorn.Config(
            Gateway(service.channels, service.settings).application(),
            host=host,
            port=int(port),
            http=PatientProtocol,
            limit_concurrency=service.settings.max_connections,
            log_config=None,
            access_log=False,
            server_header=False,
            # By default any client on this machine could say which address it comes from.
            proxy_headers=bool(service.settings.trusted_proxies),
            forwarded_allow_ips=service.settings.trusted_proxies,
            timeout_graceful_shutdown=int(service.shared.grace_seconds),
        )
    )

    async def stop() -> None:
        server.should_exit = True
        await serving

    serving = asyncio.create_task(server._serve())  # noqa: SLF001  serve() takes the signals over
    service.on_stop(stop)
    while not server.started:
        if serving.done():
            serving.result()
            raise RuntimeError(f"the gateway could not listen on {service.settings.listen}")
        await asyncio.sleep(0.01)
    service.port = server.servers[0].sockets[0].getsockname()[1]


PROGRAM = Program("gateway", GatewaySettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
