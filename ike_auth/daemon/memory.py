# SPDX-License-Identifier: ISC
"""What was loaded stays, so the garbage collector need not look at it again and again
(docs/decisions/0406-what-was-loaded-is-not-collected.md)."""

import gc

# New objects before the collector looks at them: some fifty handshakes make as many. Few of ours are in cycles.
YOUNG = 10_000


def settle() -> None:
    """To be called when everything is loaded, and again when it was loaded anew: what went then is given back."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
