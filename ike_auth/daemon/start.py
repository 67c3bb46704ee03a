# SPDX-License-Identifier: ISC
"""Starting the daemon: sockets first, then the privileges go, then it runs."""

import os
from dataclasses import dataclass

from ike_auth.assembly import Assembly
from ike_auth.config.certificates import KeyStore
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.service import Service, drop_privileges
from ike_auth.daemon.udp import CannotBind, Sockets, source_address
from ike_auth.engine import Engine, Identities, Ports
from ike_auth.exchanges.steps import OwnCertificate
from ike_auth.wire.identities import Identity
from pki.errors import PkiError


class CannotStart(Exception):
    """The text says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `ike-auth run`."""

    port: int = 500
    nat_port: int = 4500
    user: str | None = None
    no_kernel: bool = False
    as_json: bool = False
    verbose: bool = False


def run(loaded: Assembly, options: Options) -> None:
    """Run until told to stop. Raises CannotStart."""
    journal = Journal(as_json=options.as_json, verbose=options.verbose or loaded.configuration.general.verbose)
    for warning in loaded.warnings:
        journal.warning(str(warning))
    ports = Ports(options.port, options.nat_port)
    try:
        sockets = Sockets(loaded.configuration.general.listen_on, ports)
    except CannotBind as error:
        raise CannotStart(str(error)) from None
    try:
        if options.user is not None:
            become(options.user)
            check_registry(loaded.configuration.certificates.registry, options.user)
        if not options.no_kernel:
            journal.warning(
                "no kernel backend yet: no packet is protected by what is negotiated (`--no-kernel` if that is meant)"
            )
        authorities = tuple(anchor.subject_der for anchor in loaded.keystore.authorities.certificates)
        identities = Identities(lambda identity: _certificate(loaded.keystore, identity), authorities)
        listen_on = loaded.configuration.general.listen_on
        engine = Engine(
            loaded.configuration, identities, os.urandom, lambda peer: source_address(peer, listen_on), ports
        )
        where = ", ".join(str(bound) for bound in sockets)
        journal.info(f"ready: listening on {where}")
        Service(engine, loaded.gate, loaded.keystore, MemoryKernel(), sockets, journal).run()
        journal.info("stopped")
    finally:
        sockets.close()


def become(user: str) -> None:
    """Drop privileges for good. Raises CannotStart."""
    try:
        drop_privileges(user)
    except KeyError:
        raise CannotStart(f"there is no user `{user}` (--user)") from None
    except PermissionError:
        raise CannotStart(f"cannot become `{user}`: only root can (--user)") from None


def check_registry(url: str | None, user: str) -> None:
    """Whether it can still be read: it is asked in every handshake, each time anew. Raises CannotStart."""
    if url is None:
        return
    from ike_auth.authorization.recorded import Recorded

    try:
        Recorded.at(url)
    except PkiError as error:
        raise CannotStart(
            f"`{user}` (--user) cannot read the registry (`Registry` in [X509-certificates]): {error}"
        ) from None


def _certificate(keystore: KeyStore, identity: Identity) -> OwnCertificate | None:
    own = keystore.for_identity(identity)
    return None if own is None else OwnCertificate(own.certificates)
