"""What a received token is: its shape, and the reading that fits a secret."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from pay88kit import Inbox, WrongUse, readings, webhooks
from pay88kit.readings import ASSUMED, decrypt_with, fitting, report, shape, strip

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECRET = "whsec_0123456789abcdefghij"
CLAIMS = {
    "transaction_id": "sess_4e91a5c1-b7f2-4c64-91b1-3d204a5738b4",
    "transaction_amount": "50000",
    "ts": int(NOW.timestamp() * 1000),
}
CONTENT = json.dumps(CLAIMS | {"merchant_email": "ana@shop.example"}).encode()
BODY = json.dumps({**CLAIMS, "transaction_status": "COMPLETED"}).encode()


def sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def by_jwe(algorithm: str, cipher: str, key: bytes, content: bytes = CONTENT) -> str:
    own = OctKey.import_key(key)
    header = {"alg": algorithm, "enc": cipher}
    return jwe.encrypt_compact(header, content, own, algorithms=[algorithm, cipher])


def by_jws(algorithm: str, key: bytes) -> str:
    own = OctKey.import_key(key)
    return jws.serialize_compact({"alg": algorithm}, CONTENT, own, algorithms=[algorithm])


def cbc(key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    sealing = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return sealing.update(padder.update(CONTENT) + padder.finalize()) + sealing.finalize()


def gcm(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    sealed = AESGCM(key).encrypt(nonce, CONTENT, None)
    return sealed[:-16], sealed[-16:]


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(secret: str) -> str:
    salt, made, block = b"saltsalt", b"", b""
    while len(made) < 48:
        block = hashlib.md5(block + secret.encode() + salt).digest()  # noqa: S324 - OpenSSL's way
        made += block
    return b64(b"Salted__" + salt + cbc(made[:32], made[32:48]))


K16, K24, K32 = "0123456789abcdef", "0123456789abcdef01234567", "0123456789abcdef" * 2
NONCE, LONG = b"twelve bytes", b"sixteen bytes go"

# Each as another program makes it: name of the reading, secret, token.
MADE: dict[str, tuple[str, Callable[[], str]]] = {
    ASSUMED: (SECRET, lambda: by_jwe("dir", "A256GCM", sha256(SECRET))),
    "jwe dir A256GCM raw": (K32, lambda: by_jwe("dir", "A256GCM", K32.encode())),
    "jwe dir A192GCM raw": (K24, lambda: by_jwe("dir", "A192GCM", K24.encode())),
    "jwe dir A128GCM raw": (K16, lambda: by_jwe("dir", "A128GCM", K16.encode())),
    "jwe dir A128CBC-HS256 sha256": (
        SECRET,
        lambda: by_jwe("dir", "A128CBC-HS256", sha256(SECRET)),
    ),
    "jwe dir A256CBC-HS512 sha512": (
        SECRET,
        lambda: by_jwe("dir", "A256CBC-HS512", hashlib.sha512(SECRET.encode()).digest()),
    ),
    "jwe dir A256GCM base64": (
        "whsec_" + b64(b"\xfb\xff" * 16),
        lambda: by_jwe("dir", "A256GCM", b"\xfb\xff" * 16),
    ),
    "jwe dir A128GCM hex": (
        "00" * 15 + "ff",
        lambda: by_jwe("dir", "A128GCM", b"\0" * 15 + b"\xff"),
    ),
    "jwe A256KW A256GCM sha256": (SECRET, lambda: by_jwe("A256KW", "A256GCM", sha256(SECRET))),
    "jwe PBES2-HS256+A128KW A128GCM raw": (
        SECRET,
        lambda: by_jwe("PBES2-HS256+A128KW", "A128GCM", SECRET.encode()),
    ),
    "jws HS256 raw": (SECRET, lambda: by_jws("HS256", SECRET.encode())),
    "jws HS512 sha256": (SECRET, lambda: by_jws("HS512", sha256(SECRET))),
    "aes-gcm nonce12+text+tag base64 sha256": (
        SECRET, lambda: b64(NONCE + b"".join(gcm(sha256(SECRET), NONCE)))
    ),
    "aes-gcm nonce16+tag+text base64 raw": (
        K32, lambda: url64(LONG + b"".join(reversed(gcm(K32.encode(), LONG))))
    ),
    "aes-gcm nonce:tag:text hex raw": (
        K32,
        lambda: ":".join(
            part.hex() for part in (NONCE, *reversed(gcm(K32.encode(), NONCE)))
        ),
    ),
    "aes-gcm nonce:text:tag base64 raw": (
        K16, lambda: ":".join(map(b64, (NONCE, *gcm(K16.encode(), NONCE))))
    ),
    "aes-gcm nonce:text+tag base64 sha256": (
        SECRET, lambda: f"{b64(NONCE)}:{b64(b''.join(gcm(sha256(SECRET), NONCE)))}"
    ),
    "aes-cbc iv+text base64 raw": (K32, lambda: b64(LONG + cbc(K32.encode(), LONG))),
    "aes-cbc iv:text hex sha256": (
        SECRET, lambda: f"{LONG.hex()}:{cbc(sha256(SECRET), LONG).hex()}"
    ),
    "openssl aes-256-cbc md5 raw": (SECRET, lambda: openssl(SECRET)),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_the_reading_that_made_a_token_fits_it_and_no_other_secret_does(name: str) -> None:
    secret, make = MADE[name]
    token = make()
    fits = {fit.reading.name: fit for fit in fitting(token, secret)}
    assert name in fits
    assert fits[name].content == CONTENT
    assert fits[name].missing == []
    assert fitting(token, "another " + secret) == []


@pytest.mark.parametrize("name", MADE)
def test_the_two_lines_that_are_told_make_an_inbox_believe_it(name: str) -> None:
    secret, make = MADE[name]
    token = make()
    lines, fits = report(token, secret, NOW)
    assert fits
    told = [line for line in lines if line.startswith(("from ", "inbox = "))]
    if name == ASSUMED:
        assert told == []
        decrypt = None
    else:
        names: dict[str, Any] = {"Inbox": lambda decrypt: decrypt}
        exec("\n".join(told[:2]), names)  # noqa: S102 - what a learner copies
        decrypt = names["inbox"]
    found = webhooks.verify(BODY, f"Bearer {token}", secret, now=NOW, decrypt=decrypt)
    assert found.transaction_id == CLAIMS["transaction_id"]


def test_an_inbox_reads_with_another_reading() -> None:
    fresh = json.dumps(CLAIMS | {"ts": int(datetime.now(UTC).timestamp() * 1000)}).encode()
    token = by_jwe("dir", "A128GCM", K16.encode(), fresh)
    decrypt = decrypt_with("jwe dir A128GCM raw")
    for reading, outcome in ((None, "unverified"), (decrypt, "unmatched")):
        with Inbox(secret=K16, books="sqlite://", decrypt=reading) as inbox:
            assert inbox.receive(BODY, f"Bearer {token}").outcome == outcome


def test_a_reading_takes_no_token_of_another_algorithm() -> None:
    signed = by_jws("HS256", K32.encode())
    for name in ("jws HS512 raw", "jwe dir A256GCM raw"):
        with pytest.raises(ValueError, match="another algorithm"):
            decrypt_with(name)(signed, K32)
    with pytest.raises(WrongUse, match="inspect"):
        decrypt_with("jwe none")


def test_the_documented_claims_are_told_and_of_others_only_the_name() -> None:
    secret, make = MADE[ASSUMED]
    lines, _ = report(make(), secret, NOW + timedelta(seconds=7))
    told = "\n".join(lines)
    assert CLAIMS["transaction_id"] in told
    assert "2026-01-15 12:00:00 UTC, 7 s old" in told
    assert "merchant_email (str)" in told
    assert "ana@shop.example" not in told


@pytest.mark.parametrize("name", MADE)
def test_neither_token_nor_secret_is_told(name: str) -> None:
    secret, make = MADE[name]
    token = make()
    for used in (secret, "another secret of somebody"):
        told = "\n".join(report(token, used, NOW)[0])
        assert used not in told
        for part in token.replace(":", ".").split("."):
            assert len(part) < 8 or part not in told


def test_the_shape_of_a_jwe() -> None:
    seen = shape(by_jwe("dir", "A256GCM", sha256(SECRET)))
    rows = dict(seen.rows)
    assert seen.kind == "JWE in compact form"
    assert (rows["alg"], rows["enc"]) == ("dir", "A256GCM")
    assert rows["initialisation vector"] == "16 characters, Base64, 12 bytes"
    assert rows["encrypted key"] == "0 characters"


def test_what_needs_another_key_says_which() -> None:
    private = rsa.generate_private_key(65537, 2048)
    key = RSAKey.import_key(_pem(private))
    sealed = jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A256GCM"}, CONTENT, key)
    assert "private key" in str(shape(sealed).advice)
    signed = jws.serialize_compact({"alg": "ES256"}, CONTENT, ECKey.generate_key("P-256"))
    seen = shape(signed)
    assert "public key" in str(seen.advice)
    assert "merchant_email (str)" in dict(seen.rows)["claims"]
    unsigned = url64(b'{"alg":"none"}') + "." + url64(CONTENT) + "."
    assert "proves nothing" in str(shape(unsigned).advice)
    for token in (sealed, signed, unsigned):
        assert fitting(token, SECRET) == []
        lines, fits = report(token, SECRET, NOW)
        assert not fits
        assert any("ask 88Pay" in line for line in lines)
        assert "ana@shop.example" not in "\n".join(lines)


def _pem(private: rsa.RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (bytes(range(48)).hex(), "one piece of hex"),
        (b64(b"\xff" * 40), "one piece of Base64"),
        (b64(b"Salted__12345678" + b"x" * 32), "OpenSSL's format, in Base64"),
        ("00ff:00ff", "2 pieces with a colon between"),
        ("a.b.c", "3 parts that are no JWE or JWS"),
        ("¿qué?", "of no known form"),
    ],
)
def test_other_shapes(token: str, kind: str) -> None:
    assert shape(token).kind == kind


@settings(max_examples=50)
@given(
    st.text() | st.binary().map(url64) | st.lists(st.binary().map(url64)).map(".".join), st.text()
)
def test_any_token_and_any_secret_are_only_described(token: str, secret: str) -> None:
    lines, fits = report(token, secret, NOW)
    assert not fits
    assert all(line.isprintable() for line in lines)


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.lists(st.text())))
def test_any_header_is_only_described(header: dict[str, Any]) -> None:
    token = ".".join(map(url64, (json.dumps(header).encode(), b"", NONCE, b"x", LONG)))
    assert all(row.isprintable() for pair in shape(token).rows for row in pair)
    assert fitting(token, SECRET) == []


def test_a_header_that_asks_for_endless_work_is_refused() -> None:
    header = {
        "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": url64(b"salt"), "p2c": 2**31
    }  # fmt: skip
    token = ".".join(map(url64, (json.dumps(header).encode(), b"k" * 24, NONCE, b"x", LONG)))
    assert fitting(token, SECRET) == []


@pytest.mark.parametrize(
    "copied",
    ["a.b.c", "Bearer a.b.c", "bearer  a.b.c\n", "Authorization: Bearer a.\n b.c", " a.b\r\n.c "],
)
def test_a_token_is_found_in_what_was_copied(copied: str) -> None:
    assert strip(copied) == "a.b.c"
    assert repr(strip(copied)) == "'…'"


@pytest.mark.parametrize("copied", ["", "Bearer ", "x" * (readings.MAX_TOKEN + 1)])
def test_what_is_no_token_is_wrong_use(copied: str) -> None:
    with pytest.raises(WrongUse, match="token: "):
        strip(copied)
