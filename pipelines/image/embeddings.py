"""Textual inversion: words of the prompt that name an embedding file stand for its vectors. No torch.

A name is found as CLIP's tokenizer would see it: letters in any case, whole words, the longest name first.
Source: Gal et al., An image is worth one word, 2022; how AUTOMATIC1111's users write them: the file's name, anywhere in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.image.prompt.schedule import Span
from pipelines.image.widths import Widths
from studio.api import BadInput, Catalog, ModelBroken, ModelEntry

# CLIP's own first cut of a text into words, digits and runs of signs (Radford et al., 2021)
_WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)


@dataclass(frozen=True)
class Embedding:
    """One file of vectors, as many as `vectors` tokens; `stamp` changes when the file does."""

    entry: ModelEntry = field(compare=False)
    vectors: int
    stamp: tuple[str, int, int]

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.entry.details.get("widths", ()))


class Vocabulary:
    """The embeddings of a catalog by the words of their names. Where several files share a name, one that fits the model goes first."""

    def __init__(self, catalog: Catalog, widths: Widths) -> None:
        self.widths = widths
        self._names: dict[tuple[str, ...], ModelEntry] = {}
        for entry in catalog.entries("embedding"):
            if not Path(entry.path).is_file():  # taken away since the folder was read: its name is a word like others
                continue
            for name in {entry.title, entry.key.rpartition("/")[2], str(entry.details.get("token", ""))}:
                words = tuple(word.lower() for word in _WORD.findall(name))
                if words and (words not in self._names or not self.fits(self._names[words])):
                    self._names[words] = entry
        self._longest = max((len(words) for words in self._names), default=0)

    def fits(self, entry: ModelEntry) -> bool:
        return not entry.problem and fitting(tuple(entry.details.get("widths", ())), self.widths)

    def split(self, text: str) -> list[str | Embedding]:
        """The text with each name replaced by its embedding; nothing else of it is changed."""
        if not self._names:
            return [text] if text else []
        found: list[str | Embedding] = []
        words, kept, place = list(_WORD.finditer(text)), 0, 0
        while place < len(words):
            size, entry = self._at([word.group().lower() for word in words[place : place + self._longest]])
            if entry is None:
                place += 1
                continue
            found += [text[kept : words[place].start()], embedding_of(entry)]
            kept, place = words[place + size - 1].end(), place + size
        return [part for part in (*found, text[kept:]) if part]

    def _at(self, words: list[str]) -> tuple[int, ModelEntry | None]:
        for size in range(len(words), 0, -1):
            if entry := self._names.get(tuple(words[:size])):
                return size, entry
        return 0, None

    def named(self, spans: Iterable[Span]) -> list[Embedding]:
        """All embeddings that a prompt names, each once, in their order."""
        pieces = [piece for span in spans for side in span.sides for piece in side.pieces]
        return list(dict.fromkeys(part for piece in pieces for part in self.split(piece.text) if isinstance(part, Embedding)))


def fitting(widths: tuple[int, ...], model: Widths) -> bool:
    """A refiner has the second encoder alone, and reads that part of the file, or a file of that part alone."""
    return bool(model.text) and ((widths[1:] or widths) if model.second else widths) == model.text


def embedding_of(entry: ModelEntry) -> Embedding:
    about = Path(entry.path).stat()
    return Embedding(entry, int(entry.details.get("vectors", 0)), (entry.key, about.st_size, about.st_mtime_ns))


def check_embedding(found: Embedding, widths: Widths, model_title: str, at: str, most: int = 75) -> None:
    """Raises ModelBroken for a file that can't be read, BadInput for one that was made for another model."""
    entry = found.entry
    if entry.problem:
        raise ModelBroken(f"The embedding “{entry.title}” can't be used: {entry.problem}", hint="Download it again, or leave it out.", field=at)
    if not fitting(found.widths, widths):
        mine, its = (" + ".join(map(str, each)) or "none" for each in (widths.text, found.widths))
        raise BadInput(f"The embedding “{entry.title}” is for another family of models: its words are {its} wide, those of {model_title} {mine}.", hint="Leave it out, or choose a model of its family.", field=at)
    if found.vectors > most:
        raise BadInput(f"The embedding “{entry.title}” has {found.vectors} vectors; {most} fit into one part of the prompt.", hint="Leave it out.", field=at)
