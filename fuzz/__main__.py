# SPDX-License-Identifier: ISC
"""`python -m fuzz [--seconds N] [--seed N] [FILE…]`: look for inputs that break the invariant of `keynote_language`.

With files, these are tried, and nothing else is. What is found is written to fuzz/found/, and the status is not 0.
"""

import argparse
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
FOUND = FOLDER / "found"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument(
        "--seed", type=int, default=2704, help="draws the same inputs again, as far as the time allows"
    )
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    if options.files:
        from fuzz.keynote_language import check

        for path in options.files:
            check(path.read_bytes())
        return
    _fuzz(options.seconds, options.seed)


def _fuzz(seconds: int, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["keynote"]):
        from fuzz.keynote_language import check

    grown = FOLDER / "grown"  # what this machine has found to be of interest
    for folder in (FOUND, grown):
        folder.mkdir(exist_ok=True)
    arguments = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        "-max_len=8192",
        "-timeout=30",  # seconds for one input
        "-rss_limit_mb=2048",
        f"-dict={FOLDER / 'keynote.dict'}",
        f"-artifact_prefix={FOUND}{os.sep}",
        "-print_final_stats=1",
        str(grown),
        str(CORPUS),
    ]
    atheris.Setup([sys.argv[0], *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
