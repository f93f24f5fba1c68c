#!/usr/bin/env python3
"""Verifies a Plimsoll evidence packet or version sticker: dsse_verify.py FILE KEY.pem

Python's standard library alone; shares no code with Plimsoll. FILE is a Sigstore bundle v0.3 or a bare DSSE
envelope with an in-toto statement, signed with ECDSA P-256 and SHA-256. Packet and statement must be
canonical JSON (RFC 8785), so that any changed byte is found. Prints the statement and exits 0, or says what
is wrong and exits 1.
"""

import base64
import hashlib
import json
import sys

PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPES = {
    f"urn:plimsoll:attestation:{name}:v1"
    for name in ("promotion-decision", "deployment", "rollback", "sticker", "governance-change")
}
MAX_PACKET_BYTES = 6 << 20
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


class Refused(Exception):
    """Why a packet is refused."""


def require(condition, reason):
    if not condition:
        raise Refused(reason)


# --- P-256 (FIPS 186-5, SEC 1). Nothing here is secret, so nothing needs constant time. ---

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(p, q):
    """The sum of two points; None is the point at infinity."""
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P) % P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def multiply(factor, point):
    result = None
    while factor:
        if factor & 1:
            result = add(result, point)
        point, factor = add(point, point), factor >> 1
    return result


def der_integer(data):
    """One positive INTEGER in its shortest form, and what follows it."""
    require(len(data) > 2 and data[0] == 2 and 0 < data[1] < 0x80, "the signature is not DER")
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    require(len(body) == data[1] and body[0] < 0x80, "the signature is not DER")
    require(len(body) == 1 or body[0] != 0 or body[1] >= 0x80, "the signature is not DER")
    return int.from_bytes(body, "big"), rest


def check_signature(point, message, signature):
    require(len(signature) > 2 and signature[0] == 0x30 and signature[1] == len(signature) - 2, "the signature is not DER")
    r, rest = der_integer(signature[2:])
    s, rest = der_integer(rest)
    require(rest == b"" and 0 < r < N and 0 < s < N, "the signature is out of range")
    e = int.from_bytes(hashlib.sha256(message).digest(), "big")
    w = pow(s, -1, N)
    sum_ = add(multiply(e * w % N, G), multiply(r * w % N, point))
    require(sum_ is not None and sum_[0] % N == r, "the signature does not fit the content and the key")


def read_key(pem):
    """The point of a P-256 public key in PEM, and its fingerprint as OpenSSH has it."""
    begin, end = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
    require(pem.count(begin) == 1 and end in pem, "the key is not a public key in PEM")
    der = base64.b64decode("".join(pem.split(begin)[1].split(end)[0].split()), validate=True)
    require(der.startswith(SPKI_PREFIX) and len(der) == 91 and der[26] == 4, "the key is not ECDSA P-256")
    x, y = int.from_bytes(der[27:59], "big"), int.from_bytes(der[59:], "big")
    require(x < P and y < P and (x**3 + A * x + B - y * y) % P == 0, "the key is not on the curve")
    fields = (b"ecdsa-sha2-nistp256", b"nistp256", der[26:])
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return (x, y), "SHA256:" + digest


# --- Canonical JSON (RFC 8785) ---


def number(value):
    """A double as ECMAScript writes it."""
    require(value == value and abs(value) != float("inf"), "a number is too large")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # where the decimal point stands, counted in `whole + fraction`
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def canonical(value):
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def no_duplicates(pairs):
    result = dict(pairs)
    require(len(result) == len(pairs), "an object has a key twice")
    return result


def read_json(data, part):
    """Parses canonical JSON; all numbers are doubles."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_duplicates, parse_int=float, parse_float=float)
        same = canonical(value).encode("utf-8") == data
    except (ValueError, RecursionError) as cause:
        raise Refused(f"the {part} is not JSON: {cause}") from cause
    require(same, f"the {part} is not canonical JSON")
    return value


# --- The packet ---


def fields(value, required, optional=()):
    """Checks that `value` is an object with these fields and no other, and returns the required ones."""
    require(isinstance(value, dict), "an object is missing")
    require(set(required) <= set(value) <= set(required) | set(optional), f"the fields are {sorted(value)}")
    return [value[name] for name in required]


def decode(text):
    require(isinstance(text, str), "base64 is missing")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as cause:
        raise Refused(f"not base64: {cause}") from cause
    require(base64.b64encode(data).decode() == text, "base64 with spare bits")
    return data


def verify(data, pem):
    """The statement of a packet, or Refused."""
    point, fingerprint = read_key(pem)
    require(len(data) <= MAX_PACKET_BYTES, "the packet is too large")
    envelope = read_json(data, "packet")
    if isinstance(envelope, dict) and "mediaType" in envelope:
        envelope, media_type, material = fields(envelope, ("dsseEnvelope", "mediaType", "verificationMaterial"))
        require(media_type == BUNDLE_TYPE, f"the mediaType is {media_type!r}")
        (public_key,) = fields(material, ("publicKey",))
        (hint,) = fields(public_key, ("hint",))
        require(hint == fingerprint, f"the packet names the key {hint!r}, given is {fingerprint}")
    payload, payload_type, signatures = fields(envelope, ("payload", "payloadType", "signatures"))
    require(payload_type == PAYLOAD_TYPE, f"the payloadType is {payload_type!r}")
    require(isinstance(signatures, list) and len(signatures) == 1, "there must be exactly one signature")
    (signature,) = fields(signatures[0], ("sig",), ("keyid",))
    keyid = signatures[0].get("keyid", fingerprint)
    require(keyid == fingerprint, f"the packet names the key {keyid!r}, given is {fingerprint}")
    payload = decode(payload)
    pae = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    check_signature(point, pae, decode(signature))
    return check_statement(read_json(payload, "statement"))


def check_statement(statement):
    kind, predicate, predicate_type, subjects = fields(statement, ("_type", "predicate", "predicateType", "subject"))
    require(kind == STATEMENT_TYPE, f"the statement's _type is {kind!r}")
    require(isinstance(predicate, dict), "the predicate is not an object")
    require(predicate_type in PREDICATE_TYPES, f"the predicate type {predicate_type!r} is not known")
    require(isinstance(subjects, list) and subjects, "the statement has no subject")
    for subject in subjects:
        digest, name = fields(subject, ("digest", "name"))
        (sha256,) = fields(digest, ("sha256",))
        require(isinstance(name, str) and name, "a subject has no name")
        require(isinstance(sha256, str) and len(sha256) == 64, "a subject has no SHA-256")
        require(set(sha256) <= set("0123456789abcdef"), "a subject has no SHA-256")
    return statement


def main(arguments):
    if len(arguments) != 2:
        print("usage: dsse_verify.py FILE KEY.pem", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], "rb") as packet, open(arguments[1], encoding="ascii") as key:
            statement = verify(packet.read(MAX_PACKET_BYTES + 1), key.read())
    except (Refused, OSError, ValueError) as cause:
        print(f"refused: {cause}", file=sys.stderr)
        return 1
    json.dump(statement, sys.stdout, indent=2, ensure_ascii=False)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
