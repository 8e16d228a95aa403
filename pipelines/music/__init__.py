"""Music and speech: pieces note by note, sound, and voices."""

from __future__ import annotations

from studio.api import ModelEntry, Pipeline, hookimpl
from studio.api import Settings as StudioSettings


@hookimpl
def register_pipelines() -> list[Pipeline]:
    from pipelines.music.audio.generate import MakeAudio
    from pipelines.music.compose import Compose
    from pipelines.music.export import Export
    from pipelines.music.grid import AudioGrid, MusicGrid, SpeechGrid
    from pipelines.music.learn import Learn
    from pipelines.music.render import Render
    from pipelines.music.speech.speech import Speech

    return [Compose(), MusicGrid(), SpeechGrid(), AudioGrid(), Learn(), Export(), Render(), MakeAudio(), Speech()]


@hookimpl
def register_models(settings: StudioSettings) -> list[ModelEntry]:
    """The SoundFont that is part of the studio, and the styles among its outputs."""
    from pipelines.music.composer.styles import results
    from pipelines.music.sound.soundfont import shipped

    return [*shipped(), *results(settings.data)]
