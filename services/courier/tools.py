"""The tool that sends to an endpoint."""

from typing import Final

from chenu_gate.action import ActionKind
from chenu_gate.tools import TargetArgument, Tool, Toolbox

EXECUTOR: Final = "courier"
MAX_BODY_BYTES: Final = 20_000

TOOLS: Final = (
    Tool.declare(
        name="webhook.send",
        description=(
            "Sends a message to one of the person's registered endpoints, outside of CHE·NU."
            " It cannot be taken back."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "endpoint": {
                    "type": "string",
                    "description": "The endpoint's id, or its name as the person named it.",
                    "minLength": 1,
                    "maxLength": 500,
                },
                "payload": {
                    "type": "object",
                    "description": "The message: a JSON object of at most 20 kB, sent as it is.",
                },
            },
            "required": ["endpoint", "payload"],
            "additionalProperties": False,
        },
        kind=ActionKind.SEND,
        executor=EXECUTOR,
        target_arguments=(TargetArgument("endpoint", "endpoint"),),
    ),
)
TOOLBOX: Final = Toolbox(TOOLS)
