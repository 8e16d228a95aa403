"""How long each sound of an HTS voice lasts, from the voice's own file: the same lengths that its engine takes, which tells nobody.

Source: hts_engine API 1.10, file format 1.0: a decision tree asks the labels, its leaves are means of the sound's five states in frames, each rounded, one at least.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Lengths:
    """`questions` by name; `tree` by node: its question, the node or leaf for no and for yes; `frames` of each leaf; seconds of a frame."""

    questions: dict[str, re.Pattern[str]]
    tree: dict[str, tuple[str, str, str]]
    frames: tuple[int, ...]
    second: float

    def seconds(self, label: str) -> float:
        node = "0"
        while node in self.tree:
            question, no, yes = self.tree[node]
            node = yes if self.questions[question].fullmatch(label) else no
        return self.frames[int(node.rsplit("_", 1)[1]) - 1] * self.second


@lru_cache(maxsize=2)
def lengths_of(path: Path) -> Lengths:
    """Raises ValueError, KeyError, OSError or struct.error where the file is no such voice."""
    data = path.read_bytes()
    start = data.index(b"[DATA]\n") + len(b"[DATA]\n")
    head = dict(line.split(":", 1) for line in data[:start].decode("ascii", "replace").splitlines() if ":" in line)
    pdf, text = (data[start + first : start + last + 1] for first, last in (map(int, head[name].split("-")) for name in ("DURATION_PDF", "DURATION_TREE")))
    written, states = text.decode("ascii"), int(head["NUM_STATES"])
    questions = {name: _asked(patterns) for name, patterns in re.findall(r"QS (\S+) \{(.*?)\}", written)}
    tree = {node: (question, no, yes) for node, question, no, yes in re.findall(r'^\s*(-?\d+)\s+(\S+)\s+"?([^\s"]+)"?\s+"?([^\s"]+)"?\s*$', written, re.M)}
    (count,) = struct.unpack_from("<I", pdf)
    rows = [struct.unpack_from(f"<{states}f", pdf, 4 + 8 * states * row) for row in range(count)]
    return Lengths(questions, tree, tuple(sum(max(int(mean + 0.5), 1) for mean in row) for row in rows), int(head["FRAME_PERIOD"]) / int(head["SAMPLING_FREQUENCY"]))


def _asked(patterns: str) -> re.Pattern[str]:
    """ "*" stands for anything, "?" for one letter; one of them must fit the whole label."""
    return re.compile("|".join(re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in re.findall(r'"([^"]*)"', patterns)))
