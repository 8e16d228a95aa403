"""The addresses that the Compose page's script asks: one's piece, its files, pictures and sounds. No gradio."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool as apart
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from studio.api import BadInput, NotFound, Route, Studio
from studio.bodies import body, raw
from studio.inputs import suffix_of
from tabs.music_desk import FOLDER, Desk, script
from tabs.music_picture import drawn

AT = "/api/v1/music/"
KEPT = {"cache-control": "private, max-age=86400"}
SNIFFED = {"x-content-type-options": "nosniff"} | KEPT


def _owner(request: Request) -> str:
    return unquote(request.headers["x-seisei-owner"])


class DeskRoutes:
    """What each address does; `routes` lists them."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.desk = studio, Desk(studio)

    # -- a person's desk -------------------------------------------------------------------------------------

    def shown(self, request: Request) -> Any:
        return self.desk.recall(_owner(request)) | {"words": self.desk.words()}

    def words(self, request: Request) -> Any:
        return self.desk.words()

    async def kept(self, request: Request) -> Any:
        return {"kept": True} | await apart(self.desk.keep, _owner(request), await body(request))

    async def read(self, request: Request) -> Any:
        inputs = self.studio.inputs(_owner(request))
        data = await raw(request, self.studio.settings.max_upload_mb * 2**20)
        if suffix_of(data) != ".mid":
            raise BadInput("This is no MIDI file.", hint="Give a file that ends in .mid.", field="piece")
        key = await apart(inputs.keep, data, "piece")
        return {"key": key, "ours": await apart(self.desk.ours, inputs.path(key))} | await apart(self.desk.opened, inputs.path(key))

    async def sound(self, request: Request) -> Any:
        return {"job": await apart(self.desk.sound, _owner(request), await body(request))}

    async def export(self, request: Request) -> Any:
        return {"job": await apart(self.desk.export, _owner(request), await body(request))}

    async def file(self, request: Request) -> Response:
        given = await body(request)
        return Response(await apart(self.desk.midi, given.get("piece")), media_type="audio/midi")

    async def forget(self, request: Request) -> Any:
        """An older sound of a piece that was changed goes to the trash."""
        return {"count": await apart(lambda one: self.studio.store.trash([one], owner=_owner(request)), str((await body(request)).get("id", "")))}

    # -- outputs ---------------------------------------------------------------------------------------------

    def _of(self, request: Request) -> dict[str, Any]:
        return self.desk.piece(Path(self.desk.output(_owner(request), request.path_params["id"]).path))

    def piece(self, request: Request) -> Any:
        return {"piece": self._of(request)}

    def opened(self, request: Request) -> Any:
        self.desk.open(_owner(request), request.path_params["id"])
        return {"place": ["music", "compose"]}

    def picture(self, request: Request) -> Response:
        fenced = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"}
        return Response(drawn(self._of(request)), media_type="image/svg+xml", headers=SNIFFED | fenced)

    # -- what comes along ------------------------------------------------------------------------------------

    def sample(self, request: Request) -> Response:
        path = FOLDER / Path(request.path_params["name"]).name
        if not path.is_file() or path.suffix not in (".mid", ".ogg"):
            raise NotFound("There is no such sound.")
        return FileResponse(path, headers=SNIFFED)

    def mood(self, request: Request) -> Response:
        path = FOLDER / "moods" / Path(request.path_params["name"]).name
        if not path.is_file() or path.suffix != ".svg":
            raise NotFound("There is no such picture.")
        return FileResponse(path, media_type="image/svg+xml", headers=SNIFFED)

    def module(self, request: Request) -> Response:
        return Response(script(), media_type="text/javascript", headers=KEPT)


def routes(studio: Studio) -> list[Route]:
    does = DeskRoutes(studio)
    return [
        Route(AT + "desk.js", ["GET"], does.module, "The script of the Compose page"),
        Route(AT + "desk", ["GET"], does.shown, "Your piece, with its mixer and sound"),
        Route(AT + "desk", ["PUT"], does.kept, "Keep your piece as it is now"),
        Route(AT + "words", ["GET"], does.words, "What a piece can be played by and written as"),
        Route(AT + "read", ["POST"], does.read, "A MIDI file as a piece; `ours` where it carries settings of this page"),
        Route(AT + "sound", ["POST"], does.sound, "A job that sounds a piece"),
        Route(AT + "export", ["POST"], does.export, "A job that writes a piece as a file"),
        Route(AT + "file", ["POST"], does.file, "A piece as a MIDI file"),
        Route(AT + "forget", ["POST"], does.forget, "An older sound of your piece goes to the trash"),
        Route(AT + "outputs/{id}/piece", ["GET"], does.piece, "The piece of a MIDI output"),
        Route(AT + "outputs/{id}/open", ["POST"], does.opened, "A MIDI output comes on your desk"),
        Route(AT + "outputs/{id}/picture", ["GET"], does.picture, "A small picture of a MIDI output"),
        Route(AT + "moods/{name}", ["GET"], does.mood, "A mood's piece as a small picture"),
        Route(AT + "samples/{name}", ["GET"], does.sample, "The piece that comes along, and its sound"),
    ]
