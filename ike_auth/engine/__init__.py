# SPDX-License-Identifier: ISC
"""The engine: datagrams, answers and the passing of time in; effects out. It does no I/O and reads no clock.

    engine.py       what comes in, and what the timers ring for
    receiving.py    a datagram's way: header → exchange → the same bytes as before get the same reply → a step
    commit.py       what a step led to becomes true: tables, timers, effects; exchanges of our own begin
    removal.py      exchanges that come to nothing, SAs that end
    connections.py  what is configured to be up is brought up, and renewed in time
    renewal.py      when that is
    liveness.py     whether the peer is there
    contact.py      who has started anew says so
    recovery.py     packets of SAs that are not here
    parties.py      which SAs are those of one peer
    reloading.py    another configuration
    reviewing.py    whether what is up may still be
    operating.py    what operators ask for
    status.py       what they are told
    seldom.py       not too often
    flows.py        which traffic goes through tunnels, and which waits for one
    traffic.py      what the kernel has to say of traffic
    fragments.py    messages in pieces
    core.py         what they share

Whatever raises before the commit has changed nothing (docs/architecture.md).
"""

from ike_auth.engine.core import Identities, Ports
from ike_auth.engine.engine import Engine

__all__ = ["Engine", "Identities", "Ports"]
