"""Words to sound: music.audio over transformers' MusicGen and diffusers' audio pipelines."""
