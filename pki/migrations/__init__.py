# SPDX-License-Identifier: ISC
"""The registry's schema, step by step. `registry` runs them; nothing else does."""
