# SPDX-License-Identifier: ISC
"""The registry's schema, step by step, forwards only: a step back would throw records away. `registry_database` runs
them; nothing else does."""
