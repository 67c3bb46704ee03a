# SPDX-License-Identifier: ISC
"""`ike-auth demo`: real commands, real daemons on 127.0.0.x, and in plain words what they did and why."""
