# SPDX-License-Identifier: ISC
"""What each kind of certificate contains. Data, in TOML (`profiles.toml` here, and in a CA's directory): `authority`
makes it so, `lints` checks that it is."""

import datetime
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import whole_files
from pki.chain_rules import ANY_EXTENDED_KEY_USAGE, IKE_INTERMEDIATE, IPSEC_IKE
from pki.errors import PkiError, shown
from pki.keys import KINDS
from pki.names import IdentityKind

T = TypeVar("T")

# As RFC 5280 4.2.1.3 names them → as `cryptography.x509.KeyUsage` does.
_USAGES: Final = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
_EXTENDED_USAGES: Final = {
    "ipsecIKE": IPSEC_IKE,
    "ikeIntermediate": IKE_INTERMEDIATE,
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ANY_EXTENDED_KEY_USAGE,
}
_NAME_MAX: Final = 32  # characters, as the registry's column has them
_DAYS_MAX: Final = 36500
_BACKDATE_MAX: Final = 7 * 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate. `key_usage` holds the names of `cryptography.x509.KeyUsage`."""

    name: str
    about: str
    lifetime: datetime.timedelta
    key_usage: frozenset[str]
    extended_key_usages: tuple[x509.ObjectIdentifier, ...] = ()
    identities: tuple[IdentityKind, ...] = ()  # what the first name of its holder may be
    is_authority: bool = False
    path_length: int | None = None  # of an authority: how many authorities may stand below it
    key: str = "rsa-2048"  # IKEv1 signs with RSA; elliptic curves need RFC 4754 on both sides
    keys: tuple[str, ...] = KINDS  # kinds of keys that its holder may have
    backdate: datetime.timedelta = datetime.timedelta(hours=1)  # clocks differ: valid a little before it was issued
    note: str = ""  # said to whoever issues one

    def check_key(self, kind: str) -> None:
        """Raises PkiError for a kind of key that its holder may not have."""
        if kind == "ed25519" and self.is_authority:
            raise PkiError(
                "an authority cannot have an Ed25519 key: the library that validates chains refuses such authorities",
                f"one of {', '.join(it for it in self.keys if it != kind)}",
            )
        if kind not in self.keys:
            raise PkiError(
                f"a {self.name} cannot have a key of kind `{shown(kind)}`", f"one of {', '.join(self.keys)}"
            )


class _Table:
    """One table of a file, its keys taken one by one. Complaints name the file and the key."""

    def __init__(self, file: str, name: str, values: Mapping[str, Any]) -> None:
        self._file, self._name, self._left = file, name, dict(values)

    def take(self, key: str, kind: type[T], default: T) -> T:
        value = self._left.pop(key, default)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, f"is not {_TYPES[kind]}")
        return value

    def words(self, key: str, known: Callable[[str], T], default: tuple[T, ...]) -> tuple[T, ...]:
        """A list of words, each looked up."""
        if key not in self._left:
            return default
        found = []
        for word in self.take(key, list, []):
            try:
                found.append(known(word))
            except (KeyError, StopIteration, TypeError, ValueError):
                raise self.wrong(key, f"has `{shown(str(word))}`, which is not known") from None
        return tuple(found)

    def wrong(self, key: str, what: str, hint: str = "") -> PkiError:
        return PkiError(f"`{self._file}`: `{key}` of `{shown(self._name)}` {what}", hint)

    def finish(self) -> None:
        for key in self._left:
            raise self.wrong(key, "is no key of a profile", f"known are {', '.join(_KEYS)}")


_TYPES: Final[Mapping[type, str]] = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}
_KEYS: Final = (
    "about",
    "authority",
    "backdate_minutes",
    "days",
    "extended_key_usage",
    "identities",
    "key",
    "key_usage",
    "keys",
    "like",
    "note",
    "path_length",
)


def parse(text: str, file: str, known: Mapping[str, Profile]) -> dict[str, Profile]:
    """The profiles of a TOML text, after those that are `known`, which it may replace, or begin from (`like`).

    Raises PkiError, which names the file and the key that is wrong."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PkiError(f"`{file}` is not TOML: {error}") from error
    found = dict(known)
    for name, values in tables.items():
        if not isinstance(values, dict):
            raise PkiError(f"`{file}`: `{shown(name)}` stands outside of a profile", "begin one with [NAME]")
        found[name] = _profile(name, _Table(file, name, values), found)
    return found


def _profile(name: str, table: _Table, known: Mapping[str, Profile]) -> Profile:
    if not name.isascii() or not name.replace("-", "").isalnum() or len(name) > _NAME_MAX or name.startswith("-"):
        raise table.wrong("[…]", "is no name of a profile", "letters, digits and hyphens, 32 at most")
    model = table.take("like", str, "")
    if model and model not in known:
        raise table.wrong("like", f"is `{shown(model)}`, which is not known", f"known are {', '.join(known)}")
    like = known.get(model) or Profile(name, "", datetime.timedelta(365), frozenset({"digital_signature"}))
    is_authority = table.take("authority", bool, like.is_authority)
    path_length = table.take("path_length", int, -1 if like.path_length is None else like.path_length)
    profile = Profile(
        name=name,
        about=table.take("about", str, like.about),
        lifetime=datetime.timedelta(days=_within(table, "days", like.lifetime.days, _DAYS_MAX, least=1)),
        key_usage=frozenset(table.words("key_usage", _USAGES.__getitem__, tuple(like.key_usage))),
        extended_key_usages=table.words("extended_key_usage", _extended_usage, like.extended_key_usages),
        identities=table.words("identities", _identity_kind, like.identities),
        is_authority=is_authority,
        path_length=None if path_length < 0 else path_length,
        key=table.take("key", str, like.key),
        keys=table.words("keys", _key_kind, like.keys),
        backdate=datetime.timedelta(
            minutes=_within(table, "backdate_minutes", int(like.backdate.total_seconds()) // 60, _BACKDATE_MAX)
        ),
        note=table.take("note", str, like.note),
    )
    table.finish()
    _check(profile, table)
    return profile


def _check(profile: Profile, table: _Table) -> None:
    if profile.key not in profile.keys:
        raise table.wrong("key", f"is `{shown(profile.key)}`", f"one of {', '.join(profile.keys)}")
    if profile.is_authority is bool(profile.identities):
        raise table.wrong("identities", "are a peer's, and only a peer's", "an authority does not speak IKE")
    if profile.path_length is not None and not profile.is_authority:
        raise table.wrong("path_length", "is an authority's")


def _within(table: _Table, key: str, default: int, most: int, *, least: int = 0) -> int:
    value = table.take(key, int, default)
    if not least <= value <= most:
        raise table.wrong(key, f"is {value}", f"{least} to {most}")
    return value


def _extended_usage(word: str) -> x509.ObjectIdentifier:
    return _EXTENDED_USAGES.get(word) or x509.ObjectIdentifier(word)


def _identity_kind(word: str) -> IdentityKind:
    known: tuple[IdentityKind, ...] = get_args(IdentityKind)
    return next(kind for kind in known if kind == word)


def _key_kind(word: str) -> str:
    return {kind: kind for kind in KINDS}[word]


def read(path: Path) -> dict[str, Profile]:
    """Those of a CA's own file, and ours that it does not replace. A file that is not there changes nothing.

    Raises PkiError, which names the file and the key that is wrong."""
    try:
        text = whole_files.content(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return dict(PROFILES)
    except OSError as error:
        raise PkiError(f"`{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PkiError(f"`{path}` is not TOML: {error}") from error
    return parse(text, str(path), PROFILES)


def named(profiles: Mapping[str, Profile], name: str) -> Profile:
    """Of a peer. Raises PkiError for what is none."""
    peers = [it.name for it in profiles.values() if not it.is_authority]
    if name not in peers:
        raise PkiError(f"there is no profile `{shown(name)}` for peers", f"one of {', '.join(sorted(peers))}")
    return profiles[name]


_BUILT_IN: Final = "profiles.toml"
PROFILES: Final = parse((resources.files("pki") / _BUILT_IN).read_text(encoding="utf-8"), _BUILT_IN, {})
GATEWAY, ROAD_WARRIOR = PROFILES["gateway"], PROFILES["road-warrior"]
#: Of the certificates that answer OCSP in an authority's place (`responders`).
OCSP: Final = "ocsp"
ROOT, CA, INTERMEDIATE, CROSS = (PROFILES[name] for name in ("root", "ca", "intermediate", "cross"))
