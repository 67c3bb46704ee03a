# SPDX-License-Identifier: ISC
"""Which traffic goes into the TUN, and goes nowhere when the TUN is not there.

For every network behind a peer there is a route into the TUN, and behind it one that says unreachable. The kernel
removes the first kind with the device, however our process ends. The second stays and lets nothing out in clear,
until the next process takes it over.
"""

from collections import Counter, defaultdict
from pathlib import Path

from ike_auth.daemon.network import NetworkError, links, routes, rules
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.routes import Route
from ike_auth.daemon.network.rules import Rule
from ike_auth.daemon.network.selection import networks, own_source
from ike_auth.network import IPAddress
from ike_auth.wire.identities import IPNetwork, Selector

_FILTERS = Path("/proc/sys/net/ipv4/conf")
_STRICT = 1


class Steering:
    """Begins with `steer`, ends with `close`. All but `networks` raise NetworkError.

    What fails half-way leaves the part that blocks: `release` removes it.
    """

    def __init__(self, netlink: Netlink, index: int, ports: tuple[int, ...] = ()) -> None:
        """`index` is the TUN's. `ports` are ours for UDP, for a strict reverse path filter.

        Raises NetworkError if another process steers in this network namespace.
        """
        if others := links.others(netlink, index):
            raise NetworkError(f"`{others[0]}` is of another ike-auth that runs here: {links.HOLDS_ONE}")
        self._netlink = netlink
        self._index = index
        self._locals: defaultdict[IPNetwork, Counter[Selector]] = defaultdict(Counter)
        self._routes: dict[IPNetwork, Route] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()
        self._extra = {rule for port in ports for rule in rules.for_replies(port)} if _filter_is_strict() else set()

    @property
    def networks(self) -> set[IPNetwork]:
        return set(self._routes)

    def steer(self, local: Selector, remote: Selector) -> None:
        """Lead all traffic to the remote addresses into the TUN. As often as this is called, so is `release`.

        Our own packets get an address within `local` if we have one.
        """
        found = networks(remote)
        for network in found:
            self._locals[network][local] += 1
        self._settle_all(found)

    def release(self, local: Selector, remote: Selector) -> None:
        """What is not steered is no error."""
        changed = []
        for network in networks(remote):
            held = self._locals.get(network)
            if held is not None and local in held:
                held[local] -= 1
                held += Counter()  # without those at zero
                changed.append(network)
        self._settle_all(changed)

    def sweep(self) -> None:
        """Remove what an earlier process has left and nobody has asked for again. To be called once all is steered
        that is configured: until then what was left protects it."""
        wanted_rules = self._wanted_rules()
        for rule in sorted(rules.ours(self._netlink) - wanted_rules, key=lambda rule: rule.priority, reverse=True):
            rules.remove(self._netlink, rule)
        wanted = set(self._routes.values()) | {Route(network) for network in self._routes}
        for route in routes.ours(self._netlink) - wanted:
            routes.remove(self._netlink, route)

    def move(self, index: int) -> None:
        """Lead everything into another device, because the old one is gone."""
        self._index = index
        self._routes = {network: Route(network) for network in self._routes}
        self._settle_all(list(self._locals))

    def close(self) -> None:
        """Remove all that is ours: from here on, traffic goes as if we had never been here."""
        self._locals.clear()
        self._routes.clear()
        self._lengths.clear()
        self._extra = set()
        self.sweep()

    def _settle_all(self, found: list[IPNetwork]) -> None:
        """What cannot be done for one is no reason to leave the others open: all are tried before this raises."""
        own = [entry.address for entry in links.addresses(self._netlink)]
        failed = []
        for network in found:
            try:
                self._settle(network, own)
            except NetworkError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def _settle(self, network: IPNetwork, own: list[IPAddress]) -> None:
        """Make the kernel's tables say of a network what they should."""
        held = self._locals[network]
        if not held:
            self._forget(network)
            return
        if network not in self._routes:
            routes.add(self._netlink, Route(network))
            self._add_rules(network)
            self._routes[network] = Route(network)
        source = next((found for local in held if (found := own_source(local, own))), None)
        route = Route(network, self._index, source)
        if self._routes[network] != route:
            routes.add(self._netlink, route)
            self._routes[network] = route

    def _forget(self, network: IPNetwork) -> None:
        del self._locals[network]
        route = self._routes.pop(network, None)
        if route is None:
            return
        length = (network.version, network.prefixlen)
        self._lengths[length] -= 1
        if not self._lengths[length]:
            del self._lengths[length]
            for rule in reversed(rules.for_length(*length)):
                rules.remove(self._netlink, rule)
        for old in (route, Route(network)):
            routes.remove(self._netlink, old)

    def _add_rules(self, network: IPNetwork) -> None:
        length = (network.version, network.prefixlen)
        self._lengths[length] += 1
        if self._lengths[length] == 1:
            for rule in sorted(self._extra, key=lambda rule: rule.priority):
                rules.add(self._netlink, rule)
            for rule in rules.for_length(*length):
                rules.add(self._netlink, rule)

    def _wanted_rules(self) -> set[Rule]:
        pairs = (rules.for_length(*length) for length in self._lengths)
        return {rule for pair in pairs for rule in pair} | (self._extra if self._lengths else set())


def _filter_is_strict() -> bool:
    """Whether some interface of this process's namespace drops what it would answer through another one."""
    for path in _FILTERS.glob("*/rp_filter"):
        try:
            if int(path.read_text()) == _STRICT:
                return True
        except (OSError, ValueError):  # an interface that has just gone
            continue
    return False


def clear(netlink: Netlink) -> None:
    """Remove what a process has left that ended without a word, when nothing will be steered. Raises NetworkError."""
    Steering(netlink, 0).close()
