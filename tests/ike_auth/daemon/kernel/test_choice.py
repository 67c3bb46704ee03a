# SPDX-License-Identifier: ISC
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address

import pytest

from ike_auth.config.general import KERNELS
from ike_auth.daemon.kernel.choice import NAMES, CannotChoose, choose, rootless
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.kernel.userspace import UserspaceKernel
from ike_auth.daemon.network import numbers
from ike_auth.daemon.udp import Sockets
from ike_auth.engine import Ports
from tests.ike_auth.daemon.network.commands import PEER, ip, outer_network, shown
from tests.ike_auth.daemon.network.isolated import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    become_nobody,
    device_for_everybody,
    hidden_device,
    homes_for_everybody,
    in_namespaces,
    unprivileged,
)

SO_MARK, IP_MTU_DISCOVER = 36, 10


@contextmanager
def opened_sockets() -> Iterator[Sockets]:
    ip("link set lo up")
    with closing(Sockets((ip_address("127.0.0.1"),), Ports(0, 0))) as sockets:
        yield sockets


def links() -> set[str]:
    return {link["ifname"] for link in shown("link")}


def test_everything_that_may_be_configured_may_be_chosen() -> None:
    assert set(NAMES) == set(KERNELS)


def test_none_and_nonsense() -> None:
    with closing(Sockets((ip_address("127.0.0.1"),), Ports(0, 0))) as sockets:
        backend = choose("none", sockets)
        assert isinstance(backend.kernel, MemoryKernel)
        assert (backend.encapsulates, backend.needs_net_admin, backend.inside) == (False, False, None)
        with pytest.raises(
            CannotChoose, match=r"there is no kernel backend `klips` \(one of auto, xfrm, userspace, none\)"
        ):
            choose("klips", sockets)


@pytest.mark.parametrize("name", ["auto", "userspace"])
@in_namespaces()
def test_userspace_where_it_works(name: str) -> None:
    outer_network()
    with opened_sockets() as sockets:
        backend = choose(name, sockets)
        with closing(backend.kernel):
            assert isinstance(backend.kernel, UserspaceKernel)
            assert backend.description == "ESP in userspace through esp0"
            assert (backend.encapsulates, backend.needs_net_admin) == (True, True)
            assert backend.source(ip_address(PEER)) == ip_address("10.99.0.1")
            marks = {bound.socket.getsockopt(1, SO_MARK) for bound in sockets}
            assert marks == {numbers.MARK}
            raw = [descriptor for descriptor, _ in backend.kernel.readers()][1:]
            assert len(raw) == 1
        assert "esp0" not in links()


@in_namespaces()
def test_the_namespace_is_taken() -> None:
    with opened_sockets() as sockets, closing(choose("auto", sockets).kernel):
        with pytest.raises(CannotChoose, match=r"`esp0` is of another ike-auth .*`--kernel none` negotiates"):
            choose("auto", sockets)
        assert links() == {"lo", "esp0"}


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_no_device() -> None:
    with opened_sockets() as sockets:
        hidden_device()
        with pytest.raises(CannotChoose, match=r"no userspace ESP: .*there is no /dev/net/tun"):
            choose("auto", sockets)


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_without_the_right_to() -> None:
    with opened_sockets() as sockets:
        device_for_everybody()
        become_nobody()
        with pytest.raises(CannotChoose, match=r"marking packets needs root or CAP_NET_ADMIN \(or --rootless\)"):
            choose("userspace", sockets)


@unprivileged
def test_rootless() -> None:
    with closing(Sockets((ip_address("127.0.0.1"),), Ports(0, 0))) as sockets:
        backend = rootless(["sleep", "60"], sockets)
        assert backend.inside is not None
        with closing(backend.inside), closing(backend.kernel):
            assert backend.description == "ESP in userspace, for `sleep` alone"
            assert (backend.encapsulates, backend.needs_net_admin) == (True, False)
            assert backend.source(ip_address("127.0.0.9")) == ip_address("127.0.0.1")
            assert len(list(backend.kernel.readers())) == 1


@unprivileged
def test_what_is_done_with_a_backend_may_fail() -> None:
    with closing(Sockets((ip_address("127.0.0.1"),), Ports(0, 0))) as sockets:
        backend = rootless(["sleep", "60"], sockets)

        def fail() -> None:
            with backend.unless_failing():
                raise PermissionError

        with pytest.raises(PermissionError):
            fail()
        assert backend.inside is not None
        assert backend.inside.status() is not None


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_rootless_where_it_is_forbidden() -> None:
    with opened_sockets() as sockets:
        device_for_everybody(0o600)
        homes_for_everybody()
        become_nobody()
        with pytest.raises(CannotChoose, match=r"namespace without being root: .*`chmod 0666 /dev/net/tun` is usual"):
            rootless(["true"], sockets)
        assert os.geteuid() == 65534
