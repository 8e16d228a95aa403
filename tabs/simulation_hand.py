"""Where a simulation's result goes on: a report, the Music tab, the Image tab. No gradio."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import BadInput, NotFound, Output, Route, Studio, language
from studio.bodies import body

AT = "/api/v1/simulation/"
REPORT, SONIFY, GENERATE, RUN = "simulation.report", "simulation.sonify", "image.generate", "simulation.run"
WISHES = ("voices", "scale", "tempo", "notes", "lowest", "octaves")  # of music
MOST_PARTS = 60
SCRIPT = (Path(__file__).parent / "simulation_hand.js").read_text(encoding="utf-8")


def buttons(say: Any, job: str, acts: dict[str, str], more: str = "") -> str:
    """HTML of what SCRIPT does with a job when it is pressed; `acts` are labels by act, `more` stands between them and the words that tell how it went."""
    drawn = "".join(f'<button type="button" data-act="{act}" data-job="{html.escape(job)}">{html.escape(say(label))}</button>' for act, label in acts.items())
    return f'<div class="experiment-take">{drawn}{more}<span class="experiment-told" role="status"></span></div>'


class Hand:
    """Jobs and outputs of one's own, handed on."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def job(self, owner: str, job_id: str) -> Any:
        """Raises NotFound."""
        job = self.studio.jobs.get(job_id)
        if job.owner != owner or not job.pipeline.id.startswith("simulation."):
            raise NotFound("That job is not known any more.")
        return job

    def report(self, owner: str, job_id: str, address: str, lang: str) -> str:
        """A report of all that the job kept; its job."""
        job = self.job(owner, job_id)
        outputs = self.studio.store.outputs_of(job_id)
        if not outputs:
            raise BadInput("There is nothing to report yet.", hint="Wait until it is finished.")
        settings = job.params.model_dump(mode="json")
        values = {name: settings[name] for name in ("model", "own", "values", "seed") if name in settings}
        summary = {name: value for name, value in job.summary.items() if name != "pace"}
        return str(self.studio.submit(REPORT, values | {"method": job.pipeline.id, "settings": settings, "summary": summary, "parts": self.parts(owner, outputs), "address": address, "language": lang}, owner=owner).id)

    def parts(self, owner: str, outputs: list[Output]) -> list[dict[str, str]]:
        """Figures as SVG where there is one, other pictures, and tables; each kept as a job's input."""
        inputs = self.studio.inputs(owner)
        keep = {".svg": inputs.keep_drawing, ".csv": inputs.keep_table, ".png": inputs.keep, ".gif": inputs.keep, ".webp": inputs.keep}
        drawn = {output.title for output in outputs if output.path.endswith(".svg")}
        found = []
        for output in outputs[:MOST_PARTS]:
            path = Path(output.path)
            if path.suffix in keep and path.is_file() and not (path.suffix == ".png" and output.title in drawn):
                found.append({"key": keep[path.suffix](path.read_bytes()), "title": output.title})
        return found

    def music_form(self, owner: str, job_id: str, lang: str) -> dict[str, Any]:
        """What can be chosen before the job's model becomes music: its series, and fields with their limits and what they begin with."""
        settings = self.job(owner, job_id).params.model_dump(mode="json")
        run: Any = self.studio.pipelines[RUN]
        model, fields = run.model(settings["model"], settings.get("own", "")), self.studio.pipelines[SONIFY].Params.model_json_schema()["properties"]
        say = partial(self.studio.words.say, lang)
        return {
            "series": [{"name": one.name, "title": say(one.title)} for one in model.series], "most": fields["voices"]["maxItems"],
            "scales": [{"name": name, "title": say(name)} for name in fields["scale"]["enum"]],
            "numbers": {name: {key: fields[name][key] for key in ("default", "minimum", "maximum")} | {"title": say(fields[name]["title"])} for name in ("tempo", "notes")},
        }  # fmt: skip

    def music(self, owner: str, job_id: str, wished: dict[str, Any]) -> str:
        """The job's model, values and seed as music, with what was `wished` of it; its job. Raises BadInput."""
        settings = self.job(owner, job_id).params.model_dump(mode="json")
        if other := next((name for name in wished if name not in WISHES), ""):
            raise BadInput(f"“{other}” is nothing that can be chosen here.", hint=f"Choose among {', '.join(WISHES)}.", field=other)
        return str(self.studio.submit(SONIFY, {name: settings[name] for name in ("model", "own", "values", "seed", "duration") if name in settings} | wished, owner=owner).id)

    def picture(self, owner: str, output_id: str) -> list[str]:
        """The picture becomes what the Image tab begins from; where that is."""
        output = self.studio.store.output(output_id)
        if output.owner != owner or output.kind != "image" or not Path(output.path).is_file():
            raise NotFound("There is no such picture.")
        key = self.studio.inputs(owner).keep(Path(output.path).read_bytes())
        self.studio.store.remember(owner, f"restore:{GENERATE}", {"prompt": "", "image": key})
        return self.studio.places.get(GENERATE, [])


def routes(studio: Studio) -> list[Route]:
    hand = Hand(studio)

    def owner(request: Request) -> str:
        return unquote(request.headers["x-seisei-owner"])

    def report(request: Request) -> Any:
        return {"job": hand.report(owner(request), request.path_params["job"], request.query_params.get("address", ""), language(request.headers, request.cookies))}

    def music_form(request: Request) -> Any:
        return hand.music_form(owner(request), request.path_params["job"], language(request.headers, request.cookies))

    async def music(request: Request) -> Any:
        return {"job": await run_in_threadpool(hand.music, owner(request), request.path_params["job"], await body(request, optional=True))}

    def picture(request: Request) -> Any:
        told = studio.words.say(language(request.headers, request.cookies), "The picture is in the Image tab.")
        return {"place": hand.picture(owner(request), request.path_params["id"]), "told": told}

    return [
        Route(AT + "jobs/{job}/report", ["POST"], report, "A report of a finished run, experiment or calibration: ?address= of the studio for its link"),
        Route(AT + "jobs/{job}/music", ["GET"], music_form, "What can be chosen of its music: series, scales, limits of the numbers"),
        Route(AT + "jobs/{job}/music", ["POST"], music, 'Its model and values as music; what is left out of {"voices", "scale", "tempo", "notes", "lowest", "octaves"} is as usual'),
        Route(AT + "outputs/{id}/picture", ["POST"], picture, "A picture of yours to the Image tab"),
    ]
