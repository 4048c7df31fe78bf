"""Random secrets, and the hashes by which the tables know them."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

SECRET_BYTES = 32
"""256 bits: nothing to be guessed, so a plain hash of it is enough."""


def new_secret() -> str:
    """A fresh secret for a cookie or a link; URL-safe."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hashed(secret: str) -> str:
    """What a table keeps of a secret; 64 hexadecimal digits."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def mac(secret: str, *parts: str) -> str:
    """What only the holder of a secret could have made of some text; 64 hexadecimal digits."""
    message = "\0".join(parts).encode("utf-8", "replace")
    return hmac.new(secret.encode("utf-8", "replace"), message, sha256).hexdigest()


def same(given: str, right: str) -> bool:
    """Whether two texts are equal; takes as long whatever they have in common."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
