"""A second reading of C2SP tlog-cosignature, from its text alone and nothing of ours."""

import hashlib
import struct
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def cosigned_by(checkpoint: str, name: str, public_key: bytes) -> int:
    """When this cosigner signed the checkpoint; raises where it did not."""
    body, _, lines = checkpoint.partition("\n\n")
    body += "\n"
    wanted = hashlib.sha256(name.encode("utf-8") + b"\n" + b"\x04" + public_key).digest()[:4]
    for line in lines.splitlines():
        dash, signer, encoded = line.split(" ")
        assert dash == "\u2014"
        blob = b64decode(encoded, validate=True)
        if signer == name and blob[:4] == wanted:
            timestamp, signature = struct.unpack(">Q64s", blob[4:])
            assert timestamp <= 2**63 - 1
            message = f"cosignature/v1\ntime {timestamp}\n{body}".encode()
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
            return int(timestamp)
    raise AssertionError("not cosigned by this key")
