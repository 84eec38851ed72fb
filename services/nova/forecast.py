"""Lane A: what a text seems to ask for, as the message that everybody reads."""

from chenu.nova.v1.intent_pb2 import Entity, Intent
from services.nova.intent import classify


def forecast(text: str) -> Intent:
    """The intent of a text; errs to the safe side, and frees nothing."""
    found = classify(text)
    return Intent(
        kind=found.kind,
        confidence=found.confidence / 1000,
        requires_checkpoint=found.requires_checkpoint,
        entities=[
            Entity(type=e.type, value=e.value, start=e.start, end=e.end) for e in found.entities
        ],
        keywords=found.keywords,
        urgency=f"URGENCY_{found.urgency.upper()}",
        language=found.language,
        question=found.is_question,
        secondary_kinds=found.secondary_kinds,
        reasoning=found.reasoning,
    )
