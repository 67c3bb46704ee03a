# SPDX-License-Identifier: ISC
"""Starting the daemon: sockets first, then the privileges go, then it runs."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ike_auth.assembly import Assembly
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.daemon import rereading
from ike_auth.daemon.control import ControlError, ControlSocket, default_path
from ike_auth.daemon.decision_log import CannotRecord, DecisionLog
from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.choice import Backend, CannotChoose, choose, rootless
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.capabilities import keep_net_admin
from ike_auth.daemon.network.inside import NOT_EXECUTABLE, NOT_FOUND
from ike_auth.daemon.privileges import drop_privileges
from ike_auth.daemon.service import Service, identities_of
from ike_auth.daemon.udp import CannotBind, Sockets, source_address
from ike_auth.engine import Engine, Ports
from ike_auth.network import IPAddress
from pki.errors import PkiError


class CannotStart(Exception):
    """The text says what to do. `status` is an exit status, as a shell's where the command cannot be run."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `ike-auth run`."""

    port: int = 500
    nat_port: int = 4500
    user: str | None = None
    kernel: str | None = None  # instead of what the configuration says
    command: tuple[str, ...] = ()  # to be run in a namespace that has the tunnels, and nothing else
    control: Path | None = None  # the control socket; None: where this user's is
    as_json: bool = False
    verbose: bool = False
    config: Path | None = None  # the file that `loaded` came of


def run(loaded: Assembly, options: Options, load: Callable[[], Assembly] | None = None) -> int:
    """Run until told to stop, or until the command has ended: its exit status, or 0. `load` does again what `loaded`
    came of; it is for SIGHUP. Raises CannotStart."""
    if options.command:
        check_command(options.command[0])
    journal = Journal(as_json=options.as_json, verbose=options.verbose or loaded.configuration.general.verbose)
    for warning in loaded.warnings:
        journal.warning(str(warning))
    ports = Ports(options.port, options.nat_port)
    try:
        sockets = Sockets(loaded.configuration.general.listen_on, ports)
    except CannotBind as error:
        raise CannotStart(str(error)) from None
    control = decisions = None
    try:
        decisions = _decision_log(loaded, options, journal)
        control = _control(options.control, journal)
        backend = _backend(loaded, options, sockets)
        if options.user is not None:
            with backend.unless_failing():
                read_again = rereading.files_of(loaded.configuration, options.config)
                become(options.user, keep=backend.needs_net_admin)
                check_registry(loaded.configuration.certificates.registry, options.user)
                if cannot := rereading.warning(options.user, read_again):
                    journal.warning(cannot)
        identities = identities_of(loaded.keystore)
        engine = Engine(
            loaded.configuration,
            identities,
            os.urandom,
            _source(loaded.configuration.general.listen_on, backend),
            ports,
            encapsulate=backend.encapsulates and loaded.configuration.general.always_in_udp,
            reserve_spi=backend.reserve_spi,
        )
        service = Service(
            engine,
            loaded.telling(journal.info).gate,
            loaded.keystore,
            backend.kernel,
            sockets,
            journal,
            None if load is None else lambda: load().telling(journal.info),
            inside=backend.inside,
            control=control,
            decisions=decisions,
        )
        if backend.warning:
            journal.warning(backend.warning)
        where = ", ".join(str(bound) for bound in sockets)
        status = service.run(f"ready: listening on {where}; {backend.description}")
        journal.info("stopped")
        return status
    except (CannotChoose, KernelError) as error:
        raise CannotStart(str(error)) from None
    finally:
        sockets.close()
        if control is not None:
            control.discard()
        if decisions is not None:
            decisions.close()


def check_command(name: str) -> None:
    """Whether it can be run, before anything is brought up for it. Raises CannotStart."""
    if shutil.which(name) is not None:
        return
    there = os.sep in name and os.path.lexists(name)
    number, status = (errno.EACCES, NOT_EXECUTABLE) if there else (errno.ENOENT, NOT_FOUND)
    raise CannotStart(f"cannot run `{name}`: {os.strerror(number).lower()}", status)


def _decision_log(loaded: Assembly, options: Options, journal: Journal) -> DecisionLog | None:
    """Raises CannotStart."""
    path = loaded.configuration.general.decision_log
    if path is None:
        return None
    if not isinstance(loaded.authorizer, KeyNoteAuthorizer):
        journal.warning("`Decision-log` has no effect: no KeyNote policy is asked")
        return None
    try:
        return DecisionLog(path, journal.warning, options.user)
    except CannotRecord as error:
        raise CannotStart(f"{error} (`Decision-log` in [General])") from None
    except KeyError:
        raise CannotStart(f"there is no user `{options.user}` (--user)") from None


def _backend(loaded: Assembly, options: Options, sockets: Sockets) -> Backend:
    """Raises CannotChoose."""
    if options.command:
        return rootless(options.command, sockets)
    return choose(options.kernel or loaded.configuration.general.kernel, sockets)


def _control(path: Path | None, journal: Journal) -> ControlSocket | None:
    """Where nobody said where, a daemon without one is better than none. Raises CannotStart."""
    try:
        return ControlSocket(path or default_path())
    except ControlError as error:
        if path is not None:
            raise CannotStart(str(error)) from None
        journal.warning(f"no control socket: {error} ({error.hint})")
        return None


def _source(listen_on: tuple[IPAddress, ...], backend: Backend) -> Callable[[IPAddress], IPAddress]:
    """From which of our addresses a peer is reached, whatever our own tunnels say."""
    return lambda peer: source_address(peer, listen_on, backend.source)


def become(user: str, *, keep: bool = False) -> None:
    """Drop privileges for good; `keep` that of changing routes. Raises CannotStart."""
    try:
        if keep:
            keep_net_admin(lambda: drop_privileges(user))
        else:
            drop_privileges(user)
    except KeyError:
        raise CannotStart(f"there is no user `{user}` (--user)") from None
    except NetworkError as error:
        raise CannotStart(f"cannot become `{user}` (--user): {error}") from None
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
