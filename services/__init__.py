"""The nine services; each knows the others by their stubs only."""

import os

# The only thing that happens at import: gRPC reads it when it is imported itself, so it must stand
# here, before any module of a service. `docs/decisions.md` says what it saves.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
