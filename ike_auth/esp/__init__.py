# SPDX-License-Identifier: ISC
"""ESP in userspace (RFC 4303): bytes in, bytes out. `DataPlane` is the whole; docs/architecture.md has its map."""
