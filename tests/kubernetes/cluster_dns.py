"""`python -m tests.kubernetes.cluster_dns ADDRESS FILE`: the cluster's DNS, names from a file.

The file is JSON, such as `{"name.": ["10.244.0.7"]}`: it answers questions for A records of these
names, and says of all others that they do not exist. A Service's name leads to its pods: there is
no kube-proxy here.
"""

import json
import socket
import struct
import sys
from pathlib import Path

_HEADER = struct.Struct("!6H")
_A, _IN = 1, 1
_TTL_S = 1
_NO_SUCH_NAME = 3
_ANSWER = 0x8580
"""A response, authoritative, recursion wanted and there."""


def answer(question: bytes, names: dict[str, list[str]]) -> bytes:
    """Return the answer to a query of one question (RFC 1035)."""
    ident, *_ = _HEADER.unpack_from(question)
    name, end = _name(question)
    kind, _ = struct.unpack_from("!2H", question, end)
    addresses = names.get(name)
    code = _NO_SUCH_NAME if addresses is None else 0
    records = [] if addresses is None or kind != _A else addresses
    reply = _HEADER.pack(ident, _ANSWER | code, 1, len(records), 0, 0)
    reply += question[_HEADER.size : end + 4]
    for address in records:
        # 0xC00C points at the name of the question.
        reply += struct.pack("!HHHIH", 0xC00C, _A, _IN, _TTL_S, 4) + socket.inet_aton(address)
    return reply


def _name(question: bytes) -> tuple[str, int]:
    at, labels = _HEADER.size, []
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels) + ".", at + 1


def main() -> None:
    """Answer for ever."""
    address, file = sys.argv[1], Path(sys.argv[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind((address, 53))
        while True:
            question, asker = here.recvfrom(1_500)
            here.sendto(answer(question, json.loads(file.read_text())), asker)


if __name__ == "__main__":
    main()
