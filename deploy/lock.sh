#!/bin/sh
# Brings the three lock files up to pyproject.toml; with --upgrade to the newest
# versions. They hold versions and hashes for every platform and no address of
# any package index: whoever installs brings his own.
set -eu
cd "$(dirname "$0")/.."
upgrade=${1:-}

compile() {
    .venv/bin/uv pip compile -q --no-config $upgrade --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --custom-compile-command "make lock" "$@"
}

compile pyproject.toml -o requirements.lock
compile pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
echo uv | compile - -o requirements-uv.lock
