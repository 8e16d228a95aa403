"""Speech: voices of several engines, texts with marks, scripts of several speakers, subtitles."""
