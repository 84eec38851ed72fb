"""What a plain read may not answer with: who does is declared sensitive, and so recorded.

The rule stands at `AUDIT_MODE_SENSITIVE_READ`. A new message that tells of other people belongs in
the list here.
"""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from chenu.events.v1.method_policy_pb2 import AuditMode
from tests.support.descriptors import methods, policy_of

# Messages about people other than the caller, or about what is theirs, seen by tenant or role.
OF_OTHERS = {
    "chenu.audit.v1.Entry",
    "chenu.audit.v1.Hold",
    "chenu.events.v1.AuditEvent",
    "chenu.governance.v1.ReplayedDecision",
    "chenu.governance.v1.Reviewer",
    "chenu.identity.v1.TenantPerson",
}
SECRET = ("_secret", "_password", "_token")
# A cursor opens nothing by itself.
HARMLESS = {"next_page_token"}


def modes(mode: AuditMode) -> list[MethodDescriptor]:
    return [m for m in methods() if policy_of(m).audit == mode]


def reachable(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """Every field of a message and of the messages in it."""
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None and field.message_type.full_name not in seen:
            yield from reachable(field.message_type, seen)


def sensitive_in(method: MethodDescriptor) -> set[str]:
    """What makes an answer sensitive: messages about others, secrets, keys."""
    seen: set[str] = set()
    fields = list(reachable(method.output_type, seen))
    keys = {f.full_name for f in fields if f.name == "key" and f.type == f.TYPE_BYTES}
    secrets = {
        f.full_name for f in fields if f"_{f.name}".endswith(SECRET) and f.name not in HARMLESS
    }
    return (seen & OF_OTHERS) | keys | secrets


@pytest.mark.parametrize("method", modes(AuditMode.AUDIT_MODE_READ), ids=lambda m: m.full_name)
def test_a_plain_read_answers_with_nothing_sensitive(method: MethodDescriptor) -> None:
    assert not sensitive_in(method)


def test_everything_in_the_list_is_answered_by_some_sensitive_read() -> None:
    sensitive = modes(AuditMode.AUDIT_MODE_SENSITIVE_READ)
    told = set().union(*(sensitive_in(method) for method in sensitive))
    assert told >= OF_OTHERS
    assert "chenu.identity.v1.GetSubjectKeyResponse.key" in told
