# SPDX-License-Identifier: ISC
"""The pluggable layer: two questions, and exchanges know nothing else of policy."""

from datetime import datetime
from typing import Protocol

from ike_auth.authorization.requests import Decision, IdentityRequest, TunnelRequest


class Authorizer(Protocol):
    """Decides for the daemon. An exception is a denial.

    An implementation is loaded by its name in the configuration (`[General] Authorizer=`) from the entry-point group
    `ike_auth.authorizers`; nothing is loaded by merely being installed. The entry point is called with the
    `Configuration` and returns an Authorizer.
    """

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        """Phase 1: could this peer ever be allowed a tunnel?"""

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        """Whether the answer to `identity` rests on `request.identity`: with any other name it would be no."""

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        """Phase 2: may the peer have exactly this?"""
