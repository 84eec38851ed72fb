"""Lane A: read from a request's words what it asks for, and err to the safe side."""

from services.nova.intent.classification import classify
from services.nova.intent.intent import Entity, Intent

__all__ = ["Entity", "Intent", "classify"]
