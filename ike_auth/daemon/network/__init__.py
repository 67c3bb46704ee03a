# SPDX-License-Identifier: ISC
"""What userspace ESP needs of Linux: a TUN device, addresses, routes that lead into it, path MTUs, namespaces.

Nothing here knows SAs. `steering` says what goes into the TUN, `rootless` does it without privileges.
"""


class NetworkError(Exception):
    """The system has refused something; the text says what, why, and what to do."""
