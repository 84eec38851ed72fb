"""The same over HTTP, with nothing but Python's standard library: 423 means that a person decides.

chenu up --detach
python examples/over_http.py [STATE_FOLDER]
"""

import json
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener


class Gateway:
    """JSON over HTTP; the session's cookie is kept, as a browser would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"content-type": "application/json"}
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def call(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the answer, whichever it is."""
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(f"{self.url}{path}", data, {**self.headers, **named}, method=verb)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as problem:
            with problem:
                return problem.code, json.load(problem)


def main(state: Path) -> None:
    """Log in, ask, be stopped, look, approve, go on."""
    endpoints = json.loads((state / "endpoints.json").read_text())
    gateway = Gateway(endpoints["gateway"])
    _, session = gateway.call("POST", "/api/v2/auth/login", endpoints["demo_user"])
    gateway.headers["authorization"] = f"Bearer {session['access_token']}"

    _, made = gateway.call(
        "POST", "/api/v2/nova/query", {"text": 'Create a thread called "Draft over HTTP"'}
    )
    print(made["run"]["answer"])
    status, problem = gateway.call(
        "POST", "/api/v2/nova/query", {"text": 'Delete the thread "Draft over HTTP"'}
    )
    print(status, problem["reason"], "-", problem["question"])

    path = f"/api/v2/checkpoints/{problem['checkpoint_id']}"
    _, found = gateway.call("GET", path)
    # A vote takes the session's cookie and the word that only this client got at log-in.
    _, approved = gateway.call(
        "POST",
        f"{path}/approve",
        {"etag": found["checkpoint"]["etag"], "comment": "Yes"},
        x_csrf_token=session["csrf_token"],
    )
    print(approved["checkpoint"]["state"])
    run_id = found["checkpoint"]["run_id"]
    status, ended = gateway.call("POST", f"/api/v2/nova/continue/{run_id}", {})
    print(status, ended["run"]["answer"])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".chenu"))
