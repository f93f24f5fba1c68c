#!/bin/sh
# Verifies a Plimsoll evidence packet or version sticker with openssl, sed and cmp: openssl_verify.sh FILE KEY.pem
# Exits 0 when it is genuine and 1 when it is not.
#
# A packet has exactly one right spelling (canonical JSON), so no JSON parser is needed: payload and signature
# are cut out, the packet is written anew around them, and must be the same bytes.
set -eu
export LC_ALL=C
[ $# -eq 2 ] || { echo "usage: openssl_verify.sh FILE KEY.pem" >&2; exit 2; }
file=$1 key=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
refuse() { echo "refused: $1" >&2; exit 1; }

type=application/vnd.in-toto+json
bundle=application/vnd.dev.sigstore.bundle.v0.3+json
[ "$(wc -c <"$file")" -le 6291456 ] || refuse "the packet is too large"

# The key's fingerprint as OpenSSH has it: two strings and the point, which ends the DER form.
openssl pkey -pubin -in "$key" -outform DER -out "$work/der" 2>/dev/null || refuse "the key is not a public key in PEM"
[ "$(head -c 26 "$work/der" | openssl base64 -A)" = MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA= ] || refuse "the key is not ECDSA P-256"
fingerprint=SHA256:$({
  printf '\000\000\000\023ecdsa-sha2-nistp256\000\000\000\010nistp256\000\000\000\101'
  tail -c 65 "$work/der"
} | openssl dgst -sha256 -binary | openssl base64 -A | tr -d =)

# Cut out what varies.
field() { sed -n "s|.*\"$1\":\"\\([A-Za-z0-9+/=]*\\)\".*|\\1|p" "$file"; }
payload=$(field payload)
sig=$(field sig)

# Write the four right spellings around it; the file must be one of them.
envelope() { printf '{"payload":"%s","payloadType":"%s","signatures":[{%s"sig":"%s"}]}' "$payload" "$type" "$1" "$sig"; }
wrapped() {
  printf '{"dsseEnvelope":%s,"mediaType":"%s","verificationMaterial":{"publicKey":{"hint":"%s"}}}' \
    "$(envelope "$1")" "$bundle" "$fingerprint"
}
named="\"keyid\":\"$fingerprint\","
same=no
for form in wrapped envelope; do
  for keyid in "$named" ""; do
    $form "$keyid" >"$work/again"
    if cmp -s "$work/again" "$file"; then same=yes; fi
  done
done
[ $same = yes ] || refuse "the file is not a canonical packet that names this key ($fingerprint)"

# Base64 has spare bits that openssl overlooks: encode again and compare.
decode() {
  printf %s "$1" | openssl base64 -d -A >"$2"
  [ "$(openssl base64 -A -in "$2")" = "$1" ] || refuse "payload or signature is not base64"
}
decode "$payload" "$work/payload"
decode "$sig" "$work/sig"
# openssl reads no more than the 72 bytes that a P-256 signature can have, and overlooks what follows them.
[ "$(wc -c <"$work/sig")" -le 72 ] || refuse "bytes follow the signature"

# What was signed: DSSE's pre-authentication encoding.
{ printf 'DSSEv1 %d %s %d ' ${#type} $type "$(wc -c <"$work/payload")"; cat "$work/payload"; } >"$work/pae"
openssl dgst -sha256 -verify "$key" -signature "$work/sig" "$work/pae" >/dev/null 2>&1 ||
  refuse "the signature does not fit the content and the key"
cat "$work/payload"
