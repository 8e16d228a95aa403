"""All voices there are, and which one says what."""

from __future__ import annotations

import difflib

from pipelines.music.speech.engine import Maker, Voice
from pipelines.music.speech.hf import Transformers
from pipelines.music.speech.hibari import Hibari
from pipelines.music.speech.kokoro import Kokoro
from pipelines.music.speech.openjtalk import OpenJTalk
from studio.api import BadInput, Catalog, Fix, ModelMissing

MAKERS: list[Maker] = [Hibari(), OpenJTalk(), Kokoro(), Transformers()]
FIRST = {"en": ("heart",), "ja": ("alpha", "mei")}  # of a language's voices the first that is here


def voices(catalog: Catalog) -> list[Voice]:
    return [voice for maker in MAKERS for voice in maker.voices(catalog)]


def maker_of(voice: Voice) -> Maker:
    return next(maker for maker in MAKERS if maker.id == voice.engine)


def known(name: str, catalog: Catalog) -> Voice | None:
    """By id or title, whatever the case."""
    every = voices(catalog)
    wanted = name.strip().casefold()
    return next((voice for voice in every if voice.id == name.strip()), None) or next((voice for voice in every if wanted in (voice.id.casefold(), voice.title.casefold())), None)


def find(name: str, catalog: Catalog, field: str) -> Voice:
    """A voice that can speak now. Raises BadInput for none of that name, ModelMissing for one whose model is not here."""
    voice = known(name, catalog)
    if voice is None:
        near = difflib.get_close_matches(name.casefold(), [voice.id for voice in voices(catalog)], 1, 0.5)
        raise BadInput(f"There is no voice “{name[:60]}”.", hint="Choose one of the list.", field=field, fix=Fix.use(field, near[0]) if near and field.endswith("voice") else None)
    if voice.missing:
        raise ModelMissing(voice.missing, hint=voice.hint, field=field, fix=Fix.use(field, "", "Automatic") if field.endswith("voice") else None)
    return voice


def usual(language: str, catalog: Catalog, field: str = "language") -> Voice:
    """The voice for a language when none is chosen. Raises BadInput where nobody speaks it, ModelMissing where nobody can yet."""
    speaking = [voice for voice in voices(catalog) if language in voice.languages]
    ready = {voice.id: voice for voice in speaking if not voice.missing}
    first = next((ready[name] for name in FIRST.get(language, ()) if name in ready), None) or next(iter(ready.values()), None)
    if first is not None:
        return first
    if speaking:
        raise ModelMissing(speaking[0].missing, hint=speaking[0].hint, field=field)
    raise BadInput(f"No voice here speaks “{language}”.", hint="Choose a voice of that language, or another language.", field=field)
