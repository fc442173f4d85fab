"""What the token of a notification may be: its shape, and which way of reading it a secret fits.

88Pay documents neither the cipher nor how its key comes from the webhook secret. Here are the ways
that are common in the field; :func:`fitting` tries them on a token that was received, and
:func:`decrypt_with` makes one of them the ``decrypt`` of :func:`pay88kit.webhooks.verify` and of
``Inbox``. Which of them 88Pay uses is not known: only a token of 88Pay's own can tell.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any

from pay88kit import money
from pay88kit.config import Secret
from pay88kit.display import Row, as_text, one_line
from pay88kit.errors import MissingExtra, WrongUse, needs
from pay88kit.webhooks import Decrypt

# A longer header is refused by most servers.
MAX_TOKEN = 64 * 1024
# The reading that the kit assumes, and that needs no `decrypt`.
ASSUMED = "jwe dir A256GCM sha256"
CLAIMS = ("transaction_id", "transaction_amount", "ts")

_JWE_ALGORITHMS = (
    "dir", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW",
    "PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW",
)  # fmt: skip
_JWE_CIPHERS = (
    "A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512",
)  # fmt: skip
_JWS_ALGORITHMS = ("HS256", "HS384", "HS512")
# Of a header, what says how the token was made. The rest is told by name only.
_TELLING = ("alg", "enc", "typ", "cty", "zip", "kid", "p2c")


@dataclass(frozen=True)
class Reading:
    """One way of reading a token. ``sealed``: whoever changes such a token is noticed."""

    name: str
    decrypt: Decrypt = field(repr=False)
    sealed: bool

    @property
    def recipe(self) -> str:
        """The two lines of Python that make an inbox read tokens in this way."""
        return (
            "from pay88kit.readings import decrypt_with\n"
            f'inbox = Inbox(decrypt=decrypt_with("{self.name}"))'
        )


@dataclass(frozen=True)
class Fit:
    """A reading that fits, and what it read."""

    reading: Reading
    content: bytes = field(repr=False)

    @property
    def claims(self) -> Mapping[str, Any] | None:
        """The content as a JSON object, or None."""
        return _object(self.content)

    @property
    def missing(self) -> list[str]:
        """Which of the documented claims the content does not have."""
        claims = self.claims or {}
        return [name for name in CLAIMS if name not in claims]


def strip(text: str) -> Secret:
    """The token in what was copied: a header's line, ``Bearer …``, or itself, with line breaks.

    Raises:
        WrongUse: there is none, or it is too long to be one.
    """
    token = "".join(
        re.sub(r"(?i)^\s*(authorization\s*:)?\s*(bearer\s)?", "", text, count=1).split()
    )
    if not token:
        raise WrongUse("token: it is empty. Give what stands behind Bearer.")
    if len(token) > MAX_TOKEN:
        raise WrongUse(f"token: longer than {MAX_TOKEN // 1024} KiB. Give one token only.")
    return Secret(token)


def fitting(token: str, secret: str) -> list[Fit]:
    """Every reading of ``token`` that ``secret`` fits; none for most tokens of a stranger.

    Raises:
        MissingExtra: when the packages for decryption are not installed.
    """
    token, secret = Secret(token), Secret(secret)
    found = []
    with warnings.catch_warnings():
        # joserfc's, about secrets that are too short: it is 88Pay's to choose them.
        warnings.simplefilter("ignore")
        for reading in readings().values():
            try:
                content = reading.decrypt(token, secret)
            except MissingExtra:
                raise
            except Exception:  # noqa: S112 - it does not fit; each library says so in its own way
                continue
            # What is not sealed always reads as something; only JSON is no accident.
            if reading.sealed or _object(content) is not None:
                found.append(Fit(reading, content))
    return found


def decrypt_with(name: str) -> Decrypt:
    """A ``decrypt`` that reads tokens in this one way: ``Inbox(decrypt=decrypt_with("…"))``.

    Args:
        name: as ``pay88 webhook inspect`` gives it.

    Raises:
        WrongUse: there is no such reading.
    """
    try:
        return readings()[name].decrypt
    except KeyError:
        raise WrongUse(
            f"decrypt_with: {name!r} is unknown. `pay88 webhook inspect` gives the name that fits."
        ) from None


@cache
def readings() -> Mapping[str, Reading]:
    """The known readings by name, the kit's own assumption first."""
    found = [*_jwe_readings(), *_jws_readings(), *_aes_readings(), *_openssl_readings()]
    found.sort(key=lambda reading: reading.name != ASSUMED)
    return {reading.name: reading for reading in found}


# ---------------------------------------------------------------- what is told of a token

_QUESTIONS = (
    "Which cipher encrypts the token? For a JWE: its alg and enc.",
    "How is the key made from the webhook secret: as it is, Base64, hex, a hash of it?",
    "Which secret is it, and where in the dashboard does it stand?",
    "Please send a sample: a secret, a token made with it, and the token's content.",
)


def report(token: str, secret: str, now: datetime) -> tuple[list[str], bool]:
    """What a token is, in lines for a person, and whether a reading fits.

    Of the content only the documented claims are told, of others name and kind; of the token and
    of the secret nothing but lengths.

    Raises:
        MissingExtra: when the packages for decryption are not installed.
    """
    seen, fits = shape(token), fitting(token, secret)
    lines = as_text(seen.kind, seen.rows).splitlines()
    if seen.advice:
        lines.append(seen.advice)
    for fit in fits:
        lines += ["", f"This reading fits: {fit.reading.name}", *_content(fit, now), ""]
        if fit.reading.name == ASSUMED:
            lines.append("It is what the kit assumes: Inbox reads it without another line.")
        else:
            lines += fit.reading.recipe.splitlines()
        if not fit.reading.sealed:
            lines.append(
                "Such a token is not sealed: somebody who changes it is not always noticed. Ask "
                "88Pay whether there is a signature beside it."
            )
    if not fits:
        lines += [
            "",
            f"None of the {len(readings())} known readings fits this webhook secret.",
            "Is the secret the one of the merchant and environment that the token came from?",
            "Then ask 88Pay:",
            *(f"  {number}. {question}" for number, question in enumerate(_QUESTIONS, 1)),
        ]
    return lines, bool(fits)


def _content(fit: Fit, now: datetime) -> list[str]:
    if fit.claims is None:
        return ["  Its content is no JSON object, so it is not what 88Pay documents."]
    rows: list[Row] = []
    for name in CLAIMS:
        if name in fit.claims:
            rows.append((name, _value(name, fit.claims[name], now)))
    others = {name: value for name, value in fit.claims.items() if name not in CLAIMS}
    if others:
        rows.append(("other claims", _names(others)))
    lines = as_text("", rows).splitlines()[1:]
    if fit.missing:
        lines.append(f"  88Pay documents {', '.join(fit.missing)} too: not in this token.")
    return lines


def _value(name: str, value: Any, now: datetime) -> str:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return f"a {type(value).__name__}, which is not documented"
    text = str(value)[:80]
    if name == "ts" and isinstance(value, int):
        try:
            moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)
        except OverflowError:
            return text
        age = (now - moment).total_seconds()
        side = f"{age:.0f} s old" if age >= 0 else f"{-age:.0f} s in the future"
        return f"{text} = {moment:%Y-%m-%d %H:%M:%S} UTC, {side}"
    return text


# ---------------------------------------------------------------- keys from a secret


def _from_hex(secret: str) -> bytes:
    return bytes.fromhex(secret)


def _from_base64(secret: str) -> bytes:
    # Some gateways write whsec_ before it.
    return _base64(secret.removeprefix("whsec_"))


_KEYS: Mapping[str, Callable[[str], bytes]] = {
    "sha256": lambda secret: hashlib.sha256(secret.encode()).digest(),
    "sha512": lambda secret: hashlib.sha512(secret.encode()).digest(),
    "raw": str.encode,
    "base64": _from_base64,
    "hex": _from_hex,
}


# ---------------------------------------------------------------- JWE and JWS


def _jwe_readings() -> Iterator[Reading]:
    for algorithm in _JWE_ALGORITHMS:
        for cipher in _JWE_CIPHERS:
            for key in _KEYS:
                # A password is used as it is.
                if key == "raw" or not algorithm.startswith("PBES2"):
                    decrypt = partial(_jwe, algorithm, cipher, key)
                    yield Reading(f"jwe {algorithm} {cipher} {key}", decrypt, sealed=True)


def _jwe(algorithm: str, cipher: str, key: str, token: str, secret: str) -> bytes:
    header = _header(token)
    if token.count(".") != 4 or (header.get("alg"), header.get("enc")) != (algorithm, cipher):
        raise ValueError("another algorithm")
    with needs("server"):
        from joserfc import jwe
        from joserfc.jwk import OctKey
    own = OctKey.import_key(_KEYS[key](secret))
    return jwe.decrypt_compact(token, own, algorithms=[algorithm, cipher]).plaintext or b""


def _jws_readings() -> Iterator[Reading]:
    for algorithm in _JWS_ALGORITHMS:
        for key in _KEYS:
            decrypt = partial(_jws, algorithm, key)
            yield Reading(f"jws {algorithm} {key}", decrypt, sealed=True)


def _jws(algorithm: str, key: str, token: str, secret: str) -> bytes:
    if token.count(".") != 2 or _header(token).get("alg") != algorithm:
        raise ValueError("another algorithm")
    with needs("server"):
        from joserfc import jws
        from joserfc.jwk import OctKey
    own = OctKey.import_key(_KEYS[key](secret))
    return jws.deserialize_compact(token, own, algorithms=[algorithm]).payload


def _header(token: str) -> Mapping[str, Any]:
    header = _object(_base64(token.partition(".")[0]))
    if header is None:
        raise ValueError("no header")
    return header


# ---------------------------------------------------------------- AES without a format of its own

# How nonce, text and tag stand in a token: after each other in one piece, or with a colon between.
_GCM_LAYOUTS = (
    "nonce12+text+tag", "nonce12+tag+text", "nonce16+text+tag", "nonce16+tag+text",
    "nonce:text+tag", "nonce:text:tag", "nonce:tag:text",
)  # fmt: skip
_CBC_LAYOUTS = ("iv+text", "iv:text")
_TAG = 16
# In front of something else, so many bytes; what is a piece of its own is as long as that.
_SIZES = {"nonce12": 12, "nonce16": 16, "iv": 16, "tag": _TAG}
_ENCODINGS: Mapping[str, Callable[[str], bytes]] = {
    "base64": lambda text: _base64(text),
    "hex": _from_hex,
}


def _aes_readings() -> Iterator[Reading]:
    for mode, layouts, open in (
        ("aes-gcm", _GCM_LAYOUTS, _gcm),
        ("aes-cbc", _CBC_LAYOUTS, _cbc),
    ):
        for layout in layouts:
            for encoding in _ENCODINGS:
                for key in _KEYS:
                    decrypt = partial(open, layout, encoding, key)
                    name = f"{mode} {layout} {encoding} {key}"
                    yield Reading(name, decrypt, sealed=mode == "aes-gcm")


def _gcm(layout: str, encoding: str, key: str, token: str, secret: str) -> bytes:
    parts = _cut(layout, encoding, token)
    with needs("server"):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    return AESGCM(_KEYS[key](secret)).decrypt(parts["nonce"], parts["text"] + parts["tag"], None)


def _cbc(layout: str, encoding: str, key: str, token: str, secret: str) -> bytes:
    parts = _cut(layout, encoding, token)
    return _open_cbc(_KEYS[key](secret), parts["iv"], parts["text"])


def _cut(layout: str, encoding: str, token: str) -> dict[str, bytes]:
    """The parts of a token by their names in ``layout``."""
    pieces = token.split(":")
    if layout.count(":") + 1 != len(pieces):
        raise ValueError("another layout")
    parts: dict[str, bytes] = {}
    for names, piece in zip(layout.split(":"), pieces, strict=True):
        rest = _ENCODINGS[encoding](piece)
        before, _, after = names.partition("text")
        for name in filter(None, before.split("+")):
            size = _SIZES.get(name, len(rest))
            parts[name.rstrip("0123456789")], rest = rest[:size], rest[size:]
        if after:
            rest, parts["tag"] = rest[:-_TAG], rest[-_TAG:]
        if "text" in names:
            parts["text"] = rest
    return parts


def _open_cbc(key: bytes, iv: bytes, text: bytes) -> bytes:
    with needs("server"):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7
    opened = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = opened.update(text) + opened.finalize()
    padding = PKCS7(128).unpadder()
    return padding.update(padded) + padding.finalize()


def _openssl_readings() -> Iterator[Reading]:
    yield Reading("openssl aes-256-cbc md5 raw", _openssl, sealed=False)


def _openssl(token: str, secret: str) -> bytes:
    """What ``CryptoJS.AES.encrypt(text, secret)`` and older ``openssl enc`` make."""
    data = _base64(token)
    if not data.startswith(b"Salted__"):
        raise ValueError("another format")
    salt, made, block = data[8:16], b"", b""
    while len(made) < 48:
        block = hashlib.md5(block + secret.encode() + salt, usedforsecurity=False).digest()
        made += block
    return _open_cbc(made[:32], made[32:48], data[16:])


# ---------------------------------------------------------------- the shape of a token


@dataclass(frozen=True)
class Shape:
    """What can be seen of a token without any key. ``advice`` is what it means, where known."""

    kind: str
    rows: list[Row]
    advice: str | None


def shape(token: str) -> Shape:
    """Describe a token: its parts, their lengths, what its header says; never its content."""
    token = Secret(token)
    parts = token.split(".")
    if len(parts) in (3, 5):
        try:
            header = _header(token)
        except ValueError:
            return Shape(f"{len(parts)} parts that are no JWE or JWS", _lengths(parts), None)
        names = _JWE_PARTS if len(parts) == 5 else _JWS_PARTS
        rows = [*_told(header), *_lengths(parts, names)]
        kind = "JWE in compact form" if len(parts) == 5 else "JWS (signed JWT) in compact form"
        if len(parts) == 3:
            claims = _object(_decoded(parts[1]))
            said = "no JSON object" if claims is None else _names(claims) or "none"
            rows.append(("claims", said))
        return Shape(kind, rows, _advice(header, len(parts)))
    pieces = token.split(":")
    if len(pieces) in (2, 3) and all(map(_alphabet, pieces)):
        return Shape(f"{len(pieces)} pieces with a colon between", _lengths(pieces), None)
    alphabet = _alphabet(token)
    if alphabet is None:
        return Shape("of no known form", _lengths(parts), None)
    openssl = _decoded(token).startswith(b"Salted__")
    kind = "OpenSSL's format, in Base64" if openssl else f"one piece of {alphabet}"
    return Shape(kind, _lengths([token]), None)


_JWE_PARTS = ("header", "encrypted key", "initialisation vector", "ciphertext", "tag")
_JWS_PARTS = ("header", "content", "signature")


def _told(header: Mapping[str, Any]) -> list[Row]:
    told = [
        (name, one_line(str(header[name]))[:60])
        for name in _TELLING
        if isinstance(header.get(name), str | int)
    ]
    others = {name: value for name, value in header.items() if name not in dict(told)}
    return [*told, ("other header names", _names(others))] if others else told


def _names(values: Mapping[str, Any]) -> str:
    """Names with the kinds of their values, and no value."""
    shown = [f"{one_line(name)[:40]} ({type(value).__name__})" for name, value in values.items()]
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "")


def _lengths(parts: list[str], names: tuple[str, ...] = ()) -> list[Row]:
    rows = []
    for number, part in enumerate(parts[:8]):
        name = names[number] if names else f"part {number + 1}"
        rows.append((name, f"{len(part)} characters" + _bytes(part)))
    return rows


def _bytes(part: str) -> str:
    alphabet = _alphabet(part) if part else None
    if alphabet is None:
        return ""
    size = len(part) // 2 if alphabet == "hex" else len(_decoded(part))
    return f", {alphabet}, {size} bytes"


def _alphabet(text: str) -> str | None:
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return "hex"
    return "Base64" if text and _decoded(text) else None


def _advice(header: Mapping[str, Any], parts: int) -> str | None:
    algorithm = str(header.get("alg"))
    if parts == 3 and algorithm.lower() == "none":
        return "It is not signed: anybody can make such a token. It proves nothing."
    if parts == 3 and not algorithm.startswith("HS"):
        return (
            "It is signed with a private key, not with a shared secret, and not encrypted. Ask "
            "88Pay for the public key that verifies it, or for the address of its JWKS."
        )
    if parts == 3:
        return "It is signed and not encrypted: anybody can read it, only who has the key makes it."
    if algorithm.startswith(("RSA", "ECDH")):
        return (
            "It is encrypted to a public key. Ask 88Pay whose, and where you get the private key "
            "that belongs to it; a webhook secret does not open it."
        )
    return None


# ---------------------------------------------------------------- small things


def _base64(text: str) -> bytes:
    """Base64 in either alphabet, with or without its padding; nothing else."""
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    return b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _decoded(text: str) -> bytes:
    try:
        return _base64(text)
    except ValueError:
        return b""


def _object(content: bytes) -> Mapping[str, Any] | None:
    try:
        value = money.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
