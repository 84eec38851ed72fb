"""`python -m deploy.containers.rotate_log_key [--retire]`: the log's next key, for containers.

In the container of `provision`, the only one that may write the private and the public keys. What
it makes belongs to whom the present key belongs to. It takes effect when `audit` is started again.
"""

import os
import sys
from pathlib import Path

from deploy.containers.provision import KeysSettings
from services.audit.keys import retire, succeed
from services.audit.settings import LogSettings


def main() -> None:
    """Do it, and say what comes next."""
    if sys.argv[1:] not in ([], ["--retire"]):
        sys.exit("usage: python -m deploy.containers.rotate_log_key [--retire]")
    root = KeysSettings().keys_root
    private, public = root / "audit" / "log.pem", root / "public" / "log.vkey"
    if not private.exists():
        sys.exit(f"there is no log key in {private.parent}: provision first")
    if sys.argv[1:]:
        print("deleted:", ", ".join(retire(private)) or "nothing, there was no old key")
        return
    owner = private.stat()
    made = succeed(private, public, LogSettings().origin)
    for path in (*private.parent.glob("log*"), *public.parent.glob("log*")):
        _give(path, owner)
    print(f"{made.verifier_key}\nnext: docker compose restart audit; later once more with --retire")


def _give(path: Path, owner: os.stat_result) -> None:
    if path.stat().st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)


if __name__ == "__main__":
    main()
