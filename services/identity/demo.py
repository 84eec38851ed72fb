"""The demo user, made by the same door as everybody else."""

import grpc

from chenu.identity.v1.auth_service_pb2 import (
    LoginRequest,
    LoginResponse,
    RegisterRequest,
    RegisterResponse,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from kernel.errors import reason_of
from services.identity.errors import EmailTaken


async def ensure_user(
    auth: AuthServiceStub, email: str, password: str, display_name: str
) -> RegisterResponse | LoginResponse:
    """Register, or log in where the e-mail is registered; a session of the user either way."""
    request = RegisterRequest(email=email, password=password, display_name=display_name)
    try:
        return await auth.Register(request)
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != EmailTaken.reason:
            raise
    return await auth.Login(LoginRequest(email=email, password=password))
