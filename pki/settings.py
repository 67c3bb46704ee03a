# SPDX-License-Identifier: ISC
"""`ca.toml` in a CA's directory: what belongs to this directory and not to the registry, which several may share.

id = "5f0c…"                                        # 32 hex digits: which unfinished work in a registry is ours
registry = "postgresql://ca@db/registry"            # without it: registry.sqlite beside this file
crl_url = "http://pki.example.org/ca.crl"           # written into what is issued from now on
ocsp_url = "http://pki.example.org/ocsp"
issuer_url = "http://pki.example.org/ca.crt"

`{authority}` in one of the three is the number in the registry of the authority that signs, where there are several.
"""

import json
import secrets
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from pki import keystore, whole_files
from pki.errors import PkiError
from pki.locations import Locations

_AUTHORITY = "{authority}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one CA directory. A directory that has no `ca.toml`, from before there was one, has the empty id."""

    id: str = ""
    registry: str | None = field(default=None, repr=False)  # may hold a password
    crl_url: str | None = None
    ocsp_url: str | None = None
    issuer_url: str | None = None

    def locations(self, authority_id: int, *, of_authority: bool = False) -> Locations:
        """What is written into a certificate that this authority signs. One that is `of_authority` hears only of
        places that are each authority's own: a root's list is not that of the authority below it."""
        urls = (self.crl_url, self.ocsp_url, self.issuer_url)
        told = (url if url and (not of_authority or _AUTHORITY in url) else None for url in urls)
        return Locations(*(url and url.replace(_AUTHORITY, str(authority_id)) for url in told))

    @classmethod
    def new(cls, registry: str | None = None) -> "Settings":
        """Raises PkiError for what is no URL of a registry."""
        if registry is not None:
            _check_registry(registry)
        return cls(secrets.token_hex(16), registry)


def read(path: Path) -> Settings:
    """Raises PkiError, which names the file and the key that is wrong."""
    try:
        values = tomllib.loads(whole_files.content(path).decode("utf-8"))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise PkiError(f"`{path}` cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PkiError(f"`{path}` is not TOML: {error}") from error
    known = [it.name for it in fields(Settings)]
    for key, value in values.items():
        if key not in known:
            raise PkiError(f"`{path}` has an unknown key `{key}`", f"known are {', '.join(known)}")
        if not isinstance(value, str):
            raise PkiError(f"`{path}`: `{key}` is not a text", f'write {key} = "…"')
        if key == "registry":
            _check_registry(value)
        if key.endswith("_url") and urlsplit(value).scheme != "http":
            # Fetching it by https would need a certificate to be checked first, perhaps this one (RFC 5280 8).
            raise PkiError(f"`{path}`: `{key}` is no http URL", f'write {key} = "http://…"')
    return Settings(**values)


def hidden_path(path: Path) -> Path:
    """What it is called while it is written."""
    return path.with_name(f".{path.name}.new")


def _check_registry(url: str) -> None:
    # A relative path would name another file for each directory that a command is typed in.
    if not url.startswith(("postgresql://", "postgresql+psycopg://", "sqlite:////")):
        raise PkiError(
            "the registry's URL is none that is known here",
            "write postgresql://USER@HOST/DATABASE, or sqlite:////PATH",
        )


def write(path: Path, settings: Settings) -> None:
    """A new file, there whole or not at all, for its owner alone where it holds a registry's URL, which may hold a
    password. The caller holds the directory's lock. Raises KeystoreError."""
    named = ((it.name, getattr(settings, it.name)) for it in fields(Settings))
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in named if value is not None)
    hidden = hidden_path(path)
    keystore.discard(hidden)  # of somebody who was killed
    keystore.write(hidden, text.encode(), 0o600 if settings.registry else 0o644)
    keystore.reveal(hidden, path)
