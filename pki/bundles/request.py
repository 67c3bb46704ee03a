# SPDX-License-Identifier: ISC
"""What is asked of a bundle besides the certificate: the connection that it sets up, and how its key is sealed."""

import ipaddress
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pki.names import Identity

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IkeVersion = Literal["1", "2", "both"]
Compat = Literal["modern", "legacy"]

# One choice of algorithms for all clients, so that one gateway configuration serves them: AES-256, SHA-256 and
# group 14 in both phases, which everybody has. Each format writes it in its own words.


@dataclass(frozen=True, slots=True)
class Request:
    """Formats take what concerns them (`formats.Format`)."""

    server: Identity | None = None  # where the client connects to: a host name or an address
    remote_id: Identity | None = None  # what answers there calls itself; as `server` unless it is given
    networks: tuple[Network, ...] = ()  # behind the server; empty: everything
    local_networks: tuple[Network, ...] = ()  # behind the holder; empty: the holder alone
    title: str = ""  # what the connection is called
    ike: IkeVersion = "2"
    password: str = field(default="", repr=False)  # of PKCS#12
    compat: Compat = "modern"  # of PKCS#12

    @property
    def host(self) -> str:
        """Where to connect to, as text; formats that use it need `server`."""
        assert self.server is not None
        return self.server.value

    @property
    def peer(self) -> Identity:
        """What the server calls itself."""
        found = self.remote_id or self.server
        assert found is not None
        return found

    @property
    def shown_title(self) -> str:
        return self.title or self.host
