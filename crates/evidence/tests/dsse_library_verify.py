#!/usr/bin/env python3
"""Verifies a Plimsoll evidence packet with securesystemslib, a DSSE library: dsse_library_verify.py FILE KEY.pem

The library reads the envelope and checks the signature. The packet must be exactly what it writes again from
what it read, in canonical JSON, so that any changed byte is found. Prints the statement and exits 0, or says
what is wrong and exits 1.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error, VerificationError
from securesystemslib.signer import SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def fingerprint(key):
    """As OpenSSH has it."""
    blob = base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def verify(data, pem):
    """The statement of a packet."""
    key = load_pem_public_key(pem)
    keyid = fingerprint(key)
    envelope = Envelope.from_dict(json.loads(data)["dsseEnvelope"])
    envelope.verify([SSlibKey.from_crypto(key, keyid=keyid)], 1)
    if len(envelope.signatures) != 1:
        raise ValueError("there must be exactly one signature")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"the payloadType is {envelope.payload_type!r}")
    bundle = {
        "dsseEnvelope": envelope.to_dict(),
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": keyid}},
    }
    if json.dumps(bundle, sort_keys=True, separators=(",", ":")).encode() != data:
        raise ValueError("the packet is not the canonical form of what it says")
    return json.loads(envelope.payload)


def main(arguments):
    if len(arguments) != 2:
        print("usage: dsse_library_verify.py FILE KEY.pem", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], "rb") as packet, open(arguments[1], "rb") as key:
            statement = verify(packet.read(), key.read())
    except (Error, VerificationError, ValueError, KeyError, TypeError, AttributeError) as cause:
        print(f"refused: {cause}", file=sys.stderr)
        return 1
    json.dump(statement, sys.stdout, indent=2, ensure_ascii=False)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
