"""What an export shows of sealed content, checked against what each record commits to."""

import hmac
import json
from typing import Any

from cli.verification.export_lines import JsonLines, canonical


class Opened:
    """Reads the line that follows each record with something sealed in it."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._shown = self._gone = 0

    def check(self, index: int, leaf: bytes) -> None:
        """Tampered unless what is shown is what the record commits to, or said to be gone."""
        personal = _personal(leaf)
        if personal is None:
            return
        document = self._lines.structure("opened")
        if set(document) != {"index", "opened"} or document["index"] != index:
            raise self._lines.wrong("another line stands where its opened content belongs")
        opened = document["opened"]
        if opened is None:
            self._gone += 1
        elif _committed(opened) == personal.get("commitment"):
            self._shown += 1
        else:
            raise self._lines.wrong("what is shown of it is not what it commits to")

    def told(self) -> str:
        """For the verdict."""
        gone = f"; {self._gone} can be opened no more, by the log's own word" if self._gone else ""
        return f"opened: {self._shown} sealed contents, each as its record commits to{gone}"


def _personal(leaf: bytes) -> dict[str, Any] | None:
    if b'"personal":' not in leaf:
        return None
    try:
        found = json.loads(leaf)["data"]["personal"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _committed(opened: Any) -> str:
    """The commitment to this content; nothing where it is no content."""
    try:
        if set(opened) != {"fields", "key"}:
            return ""
        key = bytes.fromhex(opened["key"])
        return (
            f"hmac-sha256:{hmac.digest(key, canonical(opened['fields']).encode(), 'sha256').hex()}"
        )
    except (ValueError, TypeError):
        return ""
