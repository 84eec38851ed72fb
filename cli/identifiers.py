"""Ids as people type them: whole, or any beginning or end of four characters that fits only one."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from cli.problems import UsageProblem
from cli.rendering import one_line, short

SHORTEST: Final = 4
_LISTS: Final = {
    "checkpoint": "chenu inbox lists what waits, chenu inbox --all the rest",
    "run": "chenu runs lists them",
    "thread": "chenu threads list lists them",
}
_WHOLE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART: Final = re.compile(rf"[0-9a-f-]{{{SHORTEST},36}}")


async def resolve(
    typed: str, kind: str, known: AsyncIterator[tuple[str, str]], *, by_name: bool = False
) -> str:
    """The id that `typed` stands for among the known (id, name) pairs.

    A whole id is taken as it is, so that the service says what it thinks of it.
    """
    typed = typed.strip().lstrip("…")
    if _WHOLE.fullmatch(typed.lower()):
        return typed.lower()
    part = typed.lower() if _PART.fullmatch(typed.lower()) else None
    found: dict[str, str] = {}
    async for identifier, name in known:
        fits = part and (identifier.startswith(part) or identifier.endswith(part))
        if fits or (by_name and name.casefold() == typed.casefold()):
            found[identifier] = name
    if len(found) == 1:
        return next(iter(found))
    if found:
        listed = ", ".join(f"{short(one)} ({one_line(name, 40)})" for one, name in found.items())
        raise UsageProblem(f"{typed} fits more than one {kind}: {listed}", "type more of the id")
    hint = f" or at least {SHORTEST} characters of it" if not part else ""
    raise UsageProblem(f"no {kind} fits {typed}; give its id{hint}", _LISTS.get(kind, ""))


async def every(
    call: Callable[..., Any], request: Any, field: str, name: Callable[[Any], str]
) -> AsyncIterator[tuple[str, str]]:
    """(id, name) of each item that a list RPC gives, page after page."""
    async for item in items(call, request, field):
        yield getattr(item, item.DESCRIPTOR.fields[0].name), name(item)


async def items(call: Callable[..., Any], request: Any, field: str) -> AsyncIterator[Any]:
    """Each item that a list RPC gives, page after page: an id fits only one where all were seen."""
    while True:
        answer = await call(request)
        for item in getattr(answer, field):
            yield item
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
