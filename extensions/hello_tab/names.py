"""A tab and a pipeline of one's own: a Markov chain over letters makes new names from a list of names.

Source: A. A. Markov, 1913 (letter chains); C. E. Shannon, 1948, section 3 (generating text of order n).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import ClassVar

from pydantic import Field

from studio.api import Artifact, BadInput, Catalog, Lane, Need, Params, Result, RunContext, StudioError
from studio.api import ui as hints

END = "\n"
TRIES = 200  # for one new name, before the list is too small to make more
SAMPLE = "\n".join(("Akita", "Aomori", "Chiba", "Fukuoka", "Fukushima", "Hiroshima", "Ibaraki", "Ishikawa", "Kagawa", "Kagoshima", "Kanagawa", "Kumamoto", "Miyazaki", "Nagano",
    "Nagasaki", "Okayama", "Okinawa", "Saitama", "Shimane", "Shizuoka", "Tochigi", "Tokushima", "Tottori", "Toyama", "Wakayama", "Yamagata", "Yamaguchi", "Yamanashi"))  # fmt: skip


class NameParams(Params):
    """The fields make the controls, the REST route, the metadata and the history."""

    names: str = Field(SAMPLE, max_length=200_000, title="Names to learn from", description="One per line; twenty or more work well.", json_schema_extra=hints(widget="textarea", lines=8))
    count: int = Field(10, ge=1, le=200, title="How many", description="New names to make.")
    order: int = Field(2, ge=1, le=5, title="Likeness", description="Letters that decide the next one: more is closer to the list.")
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="The same seed makes the same names; -1 is random.", json_schema_extra=hints(widget="number"))


class Names:
    """Runs in the worker, as a job: progress, Stop, and an output in the gallery come by themselves."""

    id: ClassVar[str] = "hello.names"
    title: ClassVar[str] = "Name maker"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = NameParams

    def need(self, params: NameParams, catalog: Catalog) -> Need:
        return Need()

    def run(self, params: NameParams, ctx: RunContext) -> Result:
        known = [name.strip() for name in params.names.splitlines() if name.strip()]
        if not known:
            raise BadInput("There are no names to learn from.", hint="Write some, one per line.", field="names")
        chain, pick, made = learn(known, params.order), random.Random(ctx.seed), []
        for step in range(params.count):
            ctx.progress(step, params.count)
            made.append(new_name(chain, params.order, pick, {*known, *made}, step))
            ctx.text(made[-1] + "\n")
        return Result([Artifact("text", "\n".join(made).encode(), ".md", title=", ".join(made[:3]))])


def learn(names: list[str], order: int) -> dict[str, Counter[str]]:
    """How often each letter follows each run of `order` letters; names begin with `order` line ends."""
    chain: dict[str, Counter[str]] = defaultdict(Counter)
    for name in names:
        padded = END * order + name + END
        for place in range(order, len(padded)):
            chain[padded[place - order : place]][padded[place]] += 1
    return chain


def new_name(chain: dict[str, Counter[str]], order: int, pick: random.Random, known: set[str], have: int) -> str:
    """One that is not known yet. Raises StudioError where the list is too small for another."""
    for _ in range(TRIES):
        text = END * order
        while True:
            following = chain[text[-order:]]
            letter = pick.choices(list(following), list(following.values()))[0]
            if letter == END:
                break
            text += letter
        if text[order:] not in known:
            return text[order:]
    raise StudioError(f"Only {have} new names can be made from this list.", hint="Add names, or lower the likeness.")
