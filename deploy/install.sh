#!/bin/sh
# Makes .venv: finds a Python that will do, then installs what the lock files
# name and nothing else. uv does it in a second; where it cannot, pip does.
set -eu

will_do() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        will_do "$PYTHON" && echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if will_do "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

# uv reads none of pip's settings, so the index that pip uses is handed on.
pip_setting() {
    .venv/bin/python -m pip config get "global.$1" 2>/dev/null || true
}

pip_install() {
    .venv/bin/python -m pip install -qq --disable-pip-version-check --retries 2 "$@"
}

install_with_uv() {
    pip_install --require-hashes -r requirements-uv.lock || return 1
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    .venv/bin/uv pip install -q --no-config --python .venv/bin/python \
        --require-hashes -r requirements-dev.lock
}

install_with_pip() {
    echo "uv could not install; pip does it instead (slower)." >&2
    pip_install --require-hashes -r requirements-dev.lock
}

python=$(find_python) || python=""
if [ -z "$python" ]; then
    echo "CHE·NU needs Python 3.11 or newer: install it, or name one with" \
        "'make PYTHON=/path/to/python3.12'." >&2
    exit 1
fi

# Whoever was stopped while it was made left a part of it.
if ! [ -e .venv/.made ] || ! will_do .venv/bin/python; then
    rm -rf .venv
    echo "Setting up .venv with $("$python" --version) ..."
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "$python has no working venv module: install it (on Debian and Ubuntu the" \
            "package python3-venv) and run make again." >&2
        exit 1
    fi
    touch .venv/.made
fi
if ! install_with_uv && ! install_with_pip; then
    echo "What the lock files name could not be installed. Where the index cannot be reached, look" \
        "at the network and the proxy (HTTPS_PROXY), or name another one (PIP_INDEX_URL) or a" \
        "folder of wheels (PIP_FIND_LINKS); then run make again: it goes on from here." >&2
    exit 1
fi
pip_install --no-deps --no-build-isolation --no-index -e .
touch .venv/.ready
