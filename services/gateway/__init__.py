"""The gateway: translates HTTP and server-sent events to the contracts of the other services."""
