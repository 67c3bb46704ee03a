# SPDX-License-Identifier: ISC
"""Numbers of Linux's netlink and XFRM: linux/netlink.h, linux/xfrm.h."""

from enum import IntEnum, IntFlag

from ike_auth.wire.numbers import WireEnum

# --- netlink

NETLINK_XFRM = 6


class MessageType(WireEnum):
    """`nlmsg_type`."""

    NEWSA = 0x10
    DELSA = 0x11
    GETSA = 0x12
    NEWPOLICY = 0x13
    DELPOLICY = 0x14
    GETPOLICY = 0x15
    ALLOCSPI = 0x16
    ACQUIRE = 0x17
    EXPIRE = 0x18
    UPDPOLICY = 0x19
    UPDSA = 0x1A
    POLEXPIRE = 0x1B
    MIGRATE = 0x21
    MAPPING = 0x26


class Group(IntEnum):
    """`XFRMNLGRP_*`: whom the kernel tells what happens."""

    ACQUIRE = 1
    EXPIRE = 2
    MAPPING = 8


# --- XFRM


class Attribute(WireEnum):
    """`XFRMA_*`."""

    ALG_AUTH = 1
    ALG_CRYPT = 2
    ALG_COMP = 3
    ENCAP = 4
    TMPL = 5
    REPLAY_VAL = 10
    SRCADDR = 13
    COADDR = 14
    LASTUSED = 15
    POLICY_TYPE = 16
    MIGRATE = 17
    ALG_AEAD = 18
    ALG_AUTH_TRUNC = 20
    MARK = 21
    TFCPAD = 22
    REPLAY_ESN_VAL = 23
    SA_EXTRA_FLAGS = 24
    SET_MARK = 29
    SET_MARK_MASK = 30
    IF_ID = 31


class Direction(WireEnum):
    """`XFRM_POLICY_*`: which packets a policy is for."""

    IN = 0
    OUT = 1
    FORWARD = 2


class Action(WireEnum):
    ALLOW = 0
    BLOCK = 1


class Mode(WireEnum):
    TRANSPORT = 0
    TUNNEL = 1
    ROUTE_OPTIMIZATION = 2
    IN_TRIGGER = 3
    BEET = 4


class Protocol(WireEnum):
    """Of an SA: numbers of IP."""

    ANY = 255
    ESP = 50
    AH = 51
    COMP = 108


class Share(WireEnum):
    ANY = 0
    SESSION = 1
    USER = 2
    UNIQUE = 3


class StateFlag(IntFlag):
    NONE = 0
    NO_ECN = 1
    DECAP_DSCP = 2
    NO_PMTU_DISCOVERY = 4
    WILD_RECEIVE = 8
    ICMP = 16
    AF_UNSPEC = 32
    ALIGN4 = 64
    ESN = 128


class PolicyFlag(IntFlag):
    NONE = 0
    LOCAL_OK = 1
    ICMP = 2


UDP_ENCAP_ESPINUDP = 2
INFINITE = (1 << 64) - 1  # XFRM_INF
EVERY_ALGORITHM = (1 << 32) - 1
ICMP, ICMPV6 = 1, 58  # protocols of IP, where a selector has type and code instead of ports
