# SPDX-License-Identifier: ISC
"""The corpus that fuzzing starts with: the policies of the library, the conformance cases, and a few shapes.

`python -m fuzz.make_corpus` adds what is new to the files in the repository; inputs that once broke something stay.
"""

import json
from hashlib import sha256
from pathlib import Path

from fuzz.__main__ import CORPUS

ROOT = Path(__file__).parent.parent
HEAD = b"K|x|2|xy|10\n"


def inputs() -> dict[str, bytes]:
    """By file name."""
    texts = [path.read_bytes() for path in sorted((ROOT / "policies").glob("*/*.kn"))]
    for line in (ROOT / "tests" / "vectors" / "keynote" / "cases.jsonl").read_text().splitlines():
        case = json.loads(line)
        text = "\n\n".join([*case["policies"], *case["credentials"]]).encode("latin-1")
        if len(text) <= 4_000:
            texts.append(text)
    texts += [(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {text}\n').encode() for text in SHAPES]
    texts.append(b"x\n\n" * 500)
    found = [HEAD + text for text in dict.fromkeys(texts)]
    return {sha256(data).hexdigest()[:16]: data for data in found}


SHAPES = (
    "!" * 500 + "(a == b);",
    "(" * 500 + "true" + ")" * 500 + ";",
    "true -> {" * 200 + 'a == "x";' + "};" * 200,
    'a ~= "^(x)(y)?$" -> { _1 == "x" -> "mid"; _2 == ""; };',
    "3 ^ 5000 % 7 == @b; 2 ^ 5000 - 1 > @b;",
    'a . b . c ~= "[[:alnum:].]*|[^]-]" && $a == "y";',
    "&b / 3.0 < .5; &d * 1.5 >= 2.25; @d % @b == 0;",
    'a ~= "((x?){31}){31}" || a ~= b;',
)


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for name, data in inputs().items():
        (CORPUS / name).write_bytes(data)


if __name__ == "__main__":
    main()
