# SPDX-License-Identifier: ISC
"""Manual keying: SAs and policies that an operator writes down, in the languages of setkey(8) and ipsecadm(8).

text → `statements` (what was written) → `requests` (the same as JSON, for a daemon) → `database` (`IpsecSa` and
`Flow`, for a kernel). Nothing here reads files, clocks or sockets.
"""
