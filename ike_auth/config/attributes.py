# SPDX-License-Identifier: ISC
"""What transforms of both phases have: the length of a key, and lifetimes."""

from ike_auth.config.errors import bracketed, quoted
from ike_auth.config.model import Accept
from ike_auth.config.reader import ANY, LONGEST_DURATION, Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source
from ike_auth.wire.numbers import LifeType

AES_NAMES = ("AES_CBC", "AES", "AES_GCM_16")
AES_KEY_LENGTHS = (128, 192, 256)
ANY_AES_KEY = Accept(128, 128, 256)
LIFE_TYPES = {"SECONDS": LifeType.SECONDS, "KILOBYTES": LifeType.KILOBYTES}


def key_length(transform: Reader, cipher_tag: str) -> Accept | None:
    """Bits; None for ciphers of one key length. AES without a `KEY_LENGTH` is AES of any."""
    cipher = transform.value(cipher_tag)
    if cipher not in AES_NAMES and cipher != ANY:
        if transform.has("KEY_LENGTH"):
            message = f"`KEY_LENGTH` has no effect: {quoted(cipher)} has keys of one length"
            transform.problems.warn(transform.place("KEY_LENGTH"), message)
        return None
    if not transform.has("KEY_LENGTH") or transform.value("KEY_LENGTH") == ANY:
        return ANY_AES_KEY if cipher in AES_NAMES else None
    length = transform.accept("KEY_LENGTH")
    if length and length.offer not in AES_KEY_LENGTHS:
        where = transform.place("KEY_LENGTH")
        transform.problems.error(where, f"`KEY_LENGTH`: AES has no keys of {length.offer} bits", "128, 192 or 256")
    return length


def lifetimes(source: Source, transform: Reader, default: str) -> tuple[Accept | None, Accept | None]:
    """Seconds and kilobytes. `default` names the lifetime that bounds the time where the transform does not; None
    for kilobytes is no bound of ours."""
    where = transform.place("Life")
    names = () if transform.value("Life") == ANY else transform.names("Life")
    found: dict[LifeType, Accept | None] = {}
    for name in names:
        life = source.follow(name, where, Kind.LIFETIME)
        kind = life.choice("LIFE_TYPE", LIFE_TYPES, required=True) if life else None
        if life and kind:
            if kind in found:
                message = f"{bracketed(transform.name)} has two lifetimes in {kind.name.lower()}"
                source.problems.error(where, message)
            found[kind] = _duration(life)
    seconds = found.get(LifeType.SECONDS) or _duration_of(source, default, transform)
    if seconds and (transform.value("Life") == ANY or found.get(LifeType.SECONDS, seconds) is None):
        seconds = Accept(seconds.offer, 1, LONGEST_DURATION)
    return seconds, found.get(LifeType.KILOBYTES)


def _duration_of(source: Source, name: str, transform: Reader) -> Accept | None:
    life = source.follow(name, transform.where, Kind.LIFETIME)
    return _duration(life) if life else None


def _duration(life: Reader) -> Accept | None:
    """None for ANY."""
    return None if life.value("LIFE_DURATION") == ANY else life.accept("LIFE_DURATION", required=True)
