"""What every process stands on: plumbing that knows no domain noun.

What may enter: start and drain, settings, who is calling, the interceptor
chain, channels, transactions, the outbox and its relay, messaging, migrations,
telemetry. What may not: anything a single service could own. It imports no stub
but `chenu.events.v1`, and its size is bounded by a check.

A service is a `Program` (see `kernel.service`); its use cases take a
`Transaction` (`kernel.database`), raise a `ServiceError` (`kernel.errors`) and
leave an `AuditRecord` (`kernel.audit_event`) in the same commit.
"""
