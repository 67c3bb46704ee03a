# SPDX-License-Identifier: ISC
"""From a configuration file to everything a daemon needs; or to everything that is wrong with it, at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import keynote
from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.hopeless import hopeless
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.authorization.loading import load_authorizer, make_gate, strictness_problems
from ike_auth.config import isakmpd
from ike_auth.config.certificates import KeyStore, load_keystore
from ike_auth.config.errors import ConfigError, Problem
from ike_auth.config.model import Configuration
from ike_auth.errors import LocalError
from keynote.complaints import Complaint, Place
from keynote.files import SetAside
from pki.errors import PkiError

if TYPE_CHECKING:
    from ike_auth.authorization.delegations import RegistryDelegations


class Unusable(LocalError):
    """The daemon must not start with this."""

    def __init__(self, errors: list[Complaint], warnings: list[Complaint]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors
        self.warnings = warnings


@dataclass(frozen=True, slots=True)
class Assembly:
    """All parts, loaded and checked."""

    configuration: Configuration
    keystore: KeyStore
    authorizer: Authorizer
    gate: Gate
    warnings: tuple[Complaint, ...]

    def telling(self, tell: Callable[[str], None]) -> "Assembly":
        """The same, which tells of what it reads anew while it is used."""
        if (delegations := _delegations(self)) is not None:
            delegations.tell = tell
        return self


@dataclass(slots=True)
class Findings:
    """What `ike-auth check` prints."""

    errors: list[Complaint] = field(default_factory=list)
    warnings: list[Complaint] = field(default_factory=list)
    summary: str = ""
    delegations: Mapping[str, int] | None = None  # how many there are of each sort; None: they are not asked for

    @property
    def ok(self) -> bool:
        return not self.errors


def load(config: Path, policy: Path | None, now: datetime, port: int = isakmpd.IKE_PORT) -> Assembly:
    """Raises Unusable with everything that is wrong: each part is looked at, whatever the others say."""
    found = Findings()
    configuration = _configuration(config, policy, port, found)
    if configuration is None:
        raise Unusable(found.errors, found.warnings)
    keystore = _keystore(configuration, found)
    authorizer = _authorizer(configuration, now, found, named=policy is not None)
    gate = None
    if keystore is not None and authorizer is not None:
        anchors = keystore.authorities
        found.errors += (it.complaint for it in strictness_problems(configuration, anchors, authorizer, now))
        found.warnings += _complaints(hopeless(configuration, anchors, authorizer))
        try:
            gate = make_gate(configuration, anchors, authorizer, keystore.revocations)
        except PkiError as error:
            found.errors.append(Complaint(f"`Registry` in [X509-certificates]: {error}", hint=error.hint))
    if found.errors or keystore is None or authorizer is None or gate is None:
        raise Unusable(found.errors, found.warnings)
    return Assembly(configuration, keystore, authorizer, gate, tuple(found.warnings))


def check(config: Path, policy: Path | None, now: datetime) -> Findings:
    """What `load` would say, as values."""
    try:
        loaded = load(config, policy, now)
    except Unusable as unusable:
        return Findings(unusable.errors, unusable.warnings)
    delegations = _delegations(loaded)
    doubts = [] if delegations is None else delegations.doubts(now)
    counts = None if delegations is None else delegations.current.counts()
    return Findings([], [*loaded.warnings, *doubts], _summary(loaded), counts)


def _configuration(config: Path, policy: Path | None, port: int, found: Findings) -> Configuration | None:
    try:
        configuration = isakmpd.load(config, port=port)
    except ConfigError as error:
        found.errors += _complaints(error.problems)
        found.warnings += _complaints(error.warnings)
        return None
    found.warnings += configuration.warnings
    if policy is not None:
        configuration = replace(configuration, general=replace(configuration.general, policy_file=policy))
    return configuration


def _keystore(configuration: Configuration, found: Findings) -> KeyStore | None:
    try:
        keystore = load_keystore(configuration)
    except ConfigError as error:
        found.errors += _complaints(error.problems)
        found.warnings += _complaints(error.warnings)
        return None
    found.warnings += keystore.warnings
    return keystore


def _authorizer(configuration: Configuration, now: datetime, found: Findings, *, named: bool) -> Authorizer | None:
    """`named`: the policy's file was, by --policy."""
    try:
        authorizer = load_authorizer(configuration)
        if isinstance(authorizer, KeyNoteAuthorizer):
            authorizer.refresh(now)
            if authorizer.delegations is not None:
                found.warnings += map(_set_aside, authorizer.delegations.current.set_aside)
        return authorizer
    except PkiError as error:
        found.errors.append(Complaint(f"`Delegations` in [KeyNote]: {error}", hint=error.hint))
    except keynote.PolicyError as error:
        found.errors += map(Complaint.about, error.problems)
    except ConfigError as error:
        found.errors += _complaints(error.problems)
        file = str(configuration.general.policy_file)
        if not named and any(file in it.message for it in error.problems):
            found.errors.append(Complaint("the policy is named by --policy, or by `Policy-file` in [General]"))
    except LocalError as error:
        found.errors.append(Complaint(str(error)))
    except Exception as error:  # an authorizer is somebody else's code
        name = configuration.general.authorizer
        found.errors.append(Complaint(f"the authorizer `{name}` does not load: {type(error).__name__}: {error}"))
    return None


def _delegations(loaded: Assembly) -> "RegistryDelegations | None":
    return loaded.authorizer.delegations if isinstance(loaded.authorizer, KeyNoteAuthorizer) else None


def _set_aside(item: SetAside) -> Complaint:
    return Complaint(f"set aside: {item.reason}", Place(item.where.file, item.where.line, item.where.column))


def _complaints(problems: Iterable[Problem]) -> Iterator[Complaint]:
    return (problem.complaint for problem in problems)


def _summary(loaded: Assembly) -> str:
    configuration = loaded.configuration
    own = {credential.certificates for credential in loaded.keystore.own.values()}
    lines = [
        f"peers: {len(configuration.peers)}, connections: {len(configuration.connections)}, authorities:"
        f" {len(loaded.keystore.anchors)}, own certificates: {len(own)}"
    ]
    if (delegations := _delegations(loaded)) is not None:
        lines.append(f"delegations: {delegations.current}")
    for connection in configuration.connections.values():
        peer = configuration.peers[connection.peer]
        sides = f"{connection.local or 'our address'} ↔ {connection.remote or 'the address of the peer'}"
        how = "brought up" if connection.active else "waited for"
        lines.append(f"  {connection.name}: {sides} with {peer.name} at {peer.address or 'any address'}, {how}")
    return "\n".join([*lines, "ok"])
