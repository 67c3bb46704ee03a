# SPDX-License-Identifier: ISC
"""By what our entries in the kernel's tables are known: nobody else's may be touched, and ours must be found again.

Linux keeps no register of these. 50 is IP's number for ESP, and neither the kernel's headers nor iproute2 give it to
a routing daemon; 4500 is the UDP port.
"""

PROTOCOL = 50  # of routes and rules: `ip route show table all proto 50`
TABLE = 4500  # networks of prefix length n are in table 4500 + n
PRIORITY = 4500  # of the first of our rules; main has 32766
MARK = 4500  # of our sockets: their packets never enter the TUN
METRIC = 100  # of routes into the TUN
GUARD_METRIC = 65535  # of unreachable routes, which count when the others are gone
