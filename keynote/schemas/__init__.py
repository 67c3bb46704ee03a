# SPDX-License-Identifier: ISC
"""Attribute sets that applications agree upon with the authors of policies."""
