# SPDX-License-Identifier: ISC
"""The daemon of a liar: it presents its own certificate, and claims another name.

    python -m ike_auth.demo.attacker gw-a.example.org -c FILE --policy FILE --port 5500 --nat-port 5501

Our daemon refuses to claim a name that none of its certificates bears. An attacker changes the daemon. This is the
whole change: after the configuration is loaded and checked, the name is replaced, and the first certificate with its
key is said to bear it. All that follows is the daemon as everybody runs it. Policy at the other end cannot see the
lie, for it is asked about a name; so the other end's daemon has to compare name and certificate first.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from ike_auth import assembly
from ike_auth.assembly import Assembly
from ike_auth.daemon import start
from ike_auth.daemon.clock import now
from ike_auth.wire.identities import Identity


def claiming(loaded: Assembly, name: str) -> Assembly:
    """The same daemon, which now says that it is `name` (FQDN) and proves it with what it has."""
    claimed = Identity.fqdn(name)
    credential = next(iter(loaded.keystore.own.values()))
    peers = {key: replace(peer, own_id=claimed) for key, peer in loaded.configuration.peers.items()}
    return replace(
        loaded,
        configuration=replace(loaded.configuration, peers=peers),
        keystore=replace(loaded.keystore, own={**loaded.keystore.own, claimed: credential}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ike_auth.demo.attacker", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("-c", "--config", type=Path, required=True)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nat-port", type=int, required=True)
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--no-kernel", action="store_true")
    given = parser.parse_args()
    loaded = assembly.load(given.config, given.policy, now().utc, given.port)
    kernel = "none" if given.no_kernel else None
    options = start.Options(given.port, given.nat_port, kernel=kernel, as_json=given.as_json)
    start.run(claiming(loaded, given.name), options)


if __name__ == "__main__":
    main()
