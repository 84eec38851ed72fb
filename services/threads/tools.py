"""The tools that act on threads, and what each may be called with."""

from collections.abc import Mapping
from typing import Final

from chenu_gate.action import ActionKind
from chenu_gate.canonical_json import Json
from chenu_gate.tools import TargetArgument, Tool, Toolbox
from services.threads.words import KINDS, SPHERES

EXECUTOR: Final = "threads"


def _schema(required: list[str], **properties: Json) -> Mapping[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _text(description: str, longest: int, shortest: int = 1) -> Json:
    return {
        "type": "string",
        "description": description,
        "minLength": shortest,
        "maxLength": longest,
    }


_THREAD: Final = _text("The thread's id, or its title as the person named it.", 500)
_IDENTITY: Final = _text(
    "Another identity of the same person: its id, or its name as the person said it.", 255
)
_SPHERE: Final[Json] = {
    "type": "string",
    "description": "Where in the person's life it belongs.",
    "enum": list(SPHERES),
}
_CONTENT: Final = (TargetArgument("thread", "thread"),)
_READER: Final = (*_CONTENT, TargetArgument("identity", "identity", any_version=True))


def _tool(
    name: str,
    kind: ActionKind,
    description: str,
    schema: Mapping[str, Json],
    targets: tuple[TargetArgument, ...] = (),
) -> Tool:
    return Tool.declare(
        name=name,
        description=description,
        input_schema=schema,
        kind=kind,
        executor=EXECUTOR,
        target_arguments=targets,
    )


TOOLS: Final = (
    _tool(
        "thread.create",
        ActionKind.CREATE,
        "Founds a new thread: a conversation or piece of work with the intent it is founded on.",
        _schema(
            ["title", "founding_intent"],
            title=_text("What the thread is called.", 500),
            founding_intent=_text("Why it exists. It can never be changed afterwards.", 10_000),
            description=_text("More about it.", 10_000, shortest=0),
            sphere=_SPHERE,
            kind={"type": "string", "description": "What it is for.", "enum": list(KINDS)},
            tags={
                "type": "array",
                "maxItems": 50,
                "items": _text("A tag.", 100),
                # Other tags make no other thread of one that a person rejected.
                "x-cosmetic": True,
            },
        ),
    ),
    _tool(
        "thread.search",
        ActionKind.SEARCH,
        "Finds threads whose title, description or messages contain a text, the latest first.",
        _schema(
            ["query"],
            query=_text("The text to look for, in any case and with or without accents.", 500),
            sphere=_SPHERE,
            limit={
                "type": "integer",
                "description": "At most so many; 10 unless given.",
                "minimum": 1,
                "maximum": 50,
            },
        ),
    ),
    _tool(
        "thread.append",
        ActionKind.UPDATE,
        "Adds a message to a thread. What the thread holds already is not changed.",
        _schema(["thread", "content"], thread=_THREAD, content=_text("The message.", 20_000)),
        (TargetArgument("thread", "thread", any_version=True),),
    ),
    _tool(
        "thread.archive",
        ActionKind.UPDATE,
        "Archives a thread: it is closed to additions and no longer listed. It can be reopened.",
        _schema(["thread"], thread=_THREAD),
        _CONTENT,
    ),
    _tool(
        "thread.delete",
        ActionKind.DELETE,
        "Deletes a thread: neither it nor its messages can be read any more.",
        _schema(["thread"], thread=_THREAD),
        _CONTENT,
    ),
    _tool(
        "thread.transfer",
        ActionKind.TRANSFER,
        "Moves a thread with all that it holds into another sphere of the person's life.",
        _schema(["thread", "sphere"], thread=_THREAD, sphere=_SPHERE),
        _CONTENT,
    ),
    _tool(
        "thread.export",
        ActionKind.EXPORT,
        "Gives a copy of a thread with its messages as one JSON document.",
        _schema(["thread"], thread=_THREAD),
        _CONTENT,
    ),
    _tool(
        "thread.share",
        ActionKind.CONFIGURE,
        "Lets another identity of the same person read a thread. It stays its owner's.",
        _schema(["thread", "identity"], thread=_THREAD, identity=_IDENTITY),
        _READER,
    ),
    _tool(
        "thread.unshare",
        ActionKind.CONFIGURE,
        "Ends that another identity of the same person may read a thread.",
        _schema(["thread", "identity"], thread=_THREAD, identity=_IDENTITY),
        _READER,
    ),
)
TOOLBOX: Final = Toolbox(TOOLS)
