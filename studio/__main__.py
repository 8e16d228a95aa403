"""`python -m studio`: the page's process, with the flags of launch.py."""

from __future__ import annotations

import sys

from launch import parser
from studio.errors import StudioError
from studio.settings import load_settings


def main(words: list[str]) -> int:
    flags = vars(parser().parse_args(words))
    del flags["command"], flags["torch"]
    try:
        settings, warnings = load_settings(flags)
    except StudioError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return 1
    from studio.app import main as serve

    return serve(settings, warnings)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
