"""What is sealed is shown only where it is what its record commits to."""

from base64 import b64encode
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chenu.audit.v1.entry_pb2 import PersonalState
from kernel.channels import Channels
from services.audit.personal import SubjectKeys

SEALED = {"subject": "p", "sealed": b64encode(bytes(60)).decode(), "commitment": "hmac-sha256:00"}


@pytest.mark.parametrize("changes", [{}, {"sealed": "no base64!"}, {"sealed": ""}, {"sealed": 5}])
async def test_what_the_key_that_is_there_does_not_open_cannot_be_had_now(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stub:
        async def GetSubjectKey(self, *_: Any, **__: Any) -> Any:
            return SimpleNamespace(key=bytes(32))

    keys = SubjectKeys(cast(Channels, None))
    monkeypatch.setattr(keys, "_stub", Stub)
    state, fields = await keys.open("tenant", SEALED | changes)
    assert (state, fields) == (PersonalState.PERSONAL_STATE_UNAVAILABLE, {})
    assert await keys.reveal("tenant", [SEALED | changes]) == [None]
