"""`python -m deploy.containers.healthy ADDRESS`: exit 0 where gRPC health, or HTTP, says so."""

import sys
import urllib.request
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 3


def serving(address: str) -> bool:
    """Whether what listens there is ready for work; an address with a scheme is an HTTP one."""
    try:
        if "://" in address:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310  our own
                return bool(answer.status == 200)
        with grpc.insecure_channel(address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    except (OSError, grpc.RpcError):
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if serving(sys.argv[1]) else 1)
