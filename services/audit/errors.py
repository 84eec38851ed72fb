"""What can go wrong with a question to the log: one class for each reason."""

from kernel.errors import Aborted, InvalidArgument, NotFound


class LeafNotCovered(NotFound):
    """The tree head asked about does not cover that index or size."""

    reason = "LEAF_NOT_COVERED"


class ExportInterrupted(Aborted):
    """Records that an export had promised were pruned before it came to them."""

    reason = "EXPORT_INTERRUPTED"


class InvalidFilter(InvalidArgument):
    """The filter cannot be understood; metadata position says where."""

    reason = "INVALID_FILTER"
