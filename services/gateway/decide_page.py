"""The page behind a link in a mail: the view as it is bound, two buttons, no script. Pure."""

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Final

from starlette.responses import HTMLResponse

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu_gate.view import as_text, short_digest

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;padding:1rem}"
    "button{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}"
    "input{font:inherit;display:block;width:100%;margin-bottom:1rem}"
)
_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def ballot_paper(checkpoint: Checkpoint, ballot: str) -> HTMLResponse:
    """What waits, and the form that decides it: opening the page has decided nothing."""
    risk = RiskClass.Name(checkpoint.risk).removeprefix("RISK_CLASS_").lower()
    form = (
        '<form method="post" action="/decide">'
        f'<input type="hidden" name="ballot" value="{escape(ballot)}">'
        '<label>Why (if you want to say): <input name="comment" maxlength="1000"></label>'
        '<button name="option" value="approve">Approve exactly this</button>'
        '<button name="option" value="reject">Reject it</button></form>'
    )
    return page(
        checkpoint.question,
        [
            f"Risk: {risk}. It waits until {checkpoint.expire_time.ToJsonString()}.",
            f"What your vote is for: {short_digest(checkpoint.etag)} ({checkpoint.etag})",
        ],
        shown=as_text(json.loads(checkpoint.view)),
        form=form,
    )


def standing(checkpoint: Checkpoint, *said: str) -> HTMLResponse:
    """How it stands, where there is nothing to decide here, and what else is to be said."""
    state = CheckpointState.Name(checkpoint.state).removeprefix("CHECKPOINT_STATE_").lower()
    more = "It waits for others to decide as well." if state == "pending" else ""
    return page(f"It is {state}", [*said, more, checkpoint.question])


def page(
    title: str, lines: Sequence[str], *, shown: str = "", form: str = "", status: int = 200
) -> HTMLResponse:
    """A page of escaped text; only `form` is markup."""
    text = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    view = f"<pre>{escape(shown)}</pre>" if shown else ""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>CHE·NU</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{view}{text}{form}</body></html>"
    )
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _POLICY})
