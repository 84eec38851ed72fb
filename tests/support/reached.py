"""What the whole run, in all of its processes, has called: every RPC, with documented codes only.

Judged once, at the end of a run of the whole suite in which nothing else failed.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest
from prometheus_client import REGISTRY

# What any call may meet, whatever it does: its comment need not repeat these.
ALWAYS: Final = {"OK", "UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "UNAVAILABLE",
                 "DEADLINE_EXCEEDED", "CANCELLED"}  # fmt: skip
Observed = Mapping[str, set[str]]
_OBSERVED: Final = pytest.StashKey[dict[str, set[str]]]()
_PROBLEMS: Final = pytest.StashKey[list[str]]()


def problems(observed: Observed) -> list[str]:
    """What these calls, codes by "/<service>/<method>", leave to be desired, a line each."""
    from tests.support.descriptors import comments, methods

    said, found = comments(), []
    for method in methods():
        codes = observed.get(f"/{method.containing_service.full_name}/{method.name}", set())
        # A watcher that has seen enough leaves: its stream is then cancelled, not failed.
        if not codes & ({"OK", "CANCELLED"} if method.server_streaming else {"OK"}):
            found.append(f"{method.full_name} was not reached by any test")
        documented = set(re.findall(r"[A-Z_]+", said[method.full_name].partition("Errors:")[2]))
        found += [
            f"{method.full_name} answered {code}, which its comment does not name"
            for code in sorted(codes - documented - ALWAYS)
        ]
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_OBSERVED] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended, and said what it called."""
    _add(node.config, getattr(node, "workeroutput", {}).get("chenu_calls", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    _add(config, _own_calls())
    observed = config.stash[_OBSERVED]
    if hasattr(config, "workeroutput"):
        config.workeroutput["chenu_calls"] = {name: sorted(observed[name]) for name in observed}
    elif exitstatus == pytest.ExitCode.OK and _whole(config):
        config.stash[_PROBLEMS] = problems(observed)
        if config.stash[_PROBLEMS]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    found = config.stash.get(_PROBLEMS, None)
    if found:
        terminalreporter.section("FAILED: what the whole run has called", red=True)
        for problem in found:
            terminalreporter.line(problem)


def _own_calls() -> dict[str, set[str]]:
    calls: dict[str, set[str]] = {}
    for metric in REGISTRY.collect():
        if metric.name == "chenu_calls":
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.value:
                    calls.setdefault(sample.labels["method"], set()).add(sample.labels["code"])
    return calls


def _add(config: pytest.Config, calls: Mapping[str, Any]) -> None:
    observed = config.stash[_OBSERVED]
    for method, codes in calls.items():
        observed.setdefault(method, set()).update(codes)


def _whole(config: pytest.Config) -> bool:
    chosen = config.option.keyword or config.option.markexpr or config.option.collectonly
    return not chosen and config.args == config.getini("testpaths")
