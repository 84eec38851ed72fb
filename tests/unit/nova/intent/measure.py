"""Print how the labelled sentences and the wrapped commands are read.

Run it with `python -m tests.unit.nova.intent.measure`.
"""

from services.nova.intent import classify
from tests.unit.nova.intent.corpus import FILES, labelled, wrappings

WRAPPED = (
    ("commands_en", "frames_en", True),
    ("commands_fr", "frames_fr", True),
    ("infinitives_fr", "infinitive_frames_fr", True),
    ("commands_en", "questions_en", False),
    ("infinitives_fr", "questions_fr", False),
)


def main() -> None:
    print(f"{'set':34}{'gated':>7}{'missed':>8}{'free':>7}{'alarms':>8}{'kind wrong':>12}")
    for name in FILES:
        rows = labelled(name)
        read = [(row, classify(row.text)) for row in rows]
        gated = sum(row.gated for row in rows)
        missed = sum(row.gated and not intent.requires_checkpoint for row, intent in read)
        alarms = sum(not row.gated and intent.requires_checkpoint for row, intent in read)
        wrong = sum(intent.kind not in row.kinds for row, intent in read)
        free = len(rows) - gated
        print(f"{name:34}{gated:7}{missed:8}{free:7}{alarms:8}{wrong:12}")
    for commands, frames, gated_here in WRAPPED:
        texts = [f.format(c) for f in wrappings(frames) for c in wrappings(commands)]
        stopped = sum(classify(text).requires_checkpoint for text in texts)
        missed = len(texts) - stopped if gated_here else 0
        alarms = 0 if gated_here else stopped
        counts = (len(texts), 0) if gated_here else (0, len(texts))
        print(f"{commands + ' in ' + frames:34}{counts[0]:7}{missed:8}{counts[1]:7}{alarms:8}")


if __name__ == "__main__":
    main()
