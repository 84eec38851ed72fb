"""What can go wrong with a question to the log: one class for each reason."""

from kernel.errors import NotFound


class LeafNotCovered(NotFound):
    """The tree head asked about does not cover that index or size."""

    reason = "LEAF_NOT_COVERED"
