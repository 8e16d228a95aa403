"""Ward: beds kept by patients who are well enough to leave but have nowhere to go, while others are turned away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import Chart, mixed, room_of, thinned, written
from pipelines.simulation.counting import seen, seen_at
from pipelines.simulation.drawing import GROUND, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, chance, steps_at, ui

STEP_DAYS = 1 / 24
TRAIL = 3000
CARED, BLOCKED, FREE, AWAY = KINDS[0], KINDS[1], (52, 58, 70), KINDS[3]


class WardParams(Params):
    arrivals_per_day: float = Field(5.0, ge=0, le=200, title="Admissions wanted", description="Mean number of patients who need a bed in a day.", json_schema_extra=ui(unit="per day", live=True, step=0.1))
    stay_days: float = Field(5.0, ge=0.1, le=120, title="Treatment", description="Mean number of days until a patient is well enough to leave.", json_schema_extra=ui(unit="days", live=True, step=0.1))
    beds: int = Field(30, ge=1, le=300, title="Beds", description="Patients the ward can hold.", json_schema_extra=ui(live=True))
    places: int = Field(40, ge=0, le=1000, title="Nursing places", description="Patients that homes can take in afterwards; a bed stays blocked while none is free.", json_schema_extra=ui(live=True))
    need_place: float = Field(0.25, ge=0, le=1, title="Need a place", description="Share of patients who can't go home after treatment.", json_schema_extra=ui(advanced=True, live=True, step=0.01))
    place_days: float = Field(30.0, ge=0.5, le=1000, title="Stay in the place", description="Mean number of days until a place is free again.", json_schema_extra=ui(unit="days", advanced=True, live=True))


@compiled
def move(rng, people, law, dt, steps):  # type: ignore[no-untyped-def]
    """Event by event in place on people (in treatment, blocked, in places, wanted, admitted, turned away, left). law is (arrivals, 1/stay, beds, places, share that needs one, 1/place stay)."""
    for _ in range(steps):
        left = dt
        while True:
            come, heal, leave = law[0], law[1] * people[0], law[5] * people[2]
            total = come + heal + leave
            if total <= 0.0:
                break
            left -= rng.standard_exponential() / total
            if left < 0.0:
                break
            which = rng.random() * total
            if which < come:
                people[3] += 1
                if people[0] + people[1] < law[2]:
                    people[0] += 1
                    people[4] += 1
                else:
                    people[5] += 1
            elif which < come + heal:
                people[0] -= 1
                if rng.random() >= law[4]:
                    people[6] += 1
                elif people[2] < law[3]:
                    people[2] += 1
                    people[6] += 1
                else:
                    people[1] += 1
            else:
                people[2] -= 1
                if people[1] > 0 and people[2] < law[3]:
                    people[1] -= 1
                    people[2] += 1
                    people[6] += 1


MOVES_AT = seen_at.having(stretch=move)


@dataclass
class Beds:
    """People as in `move`, and (time, in treatment, blocked, turned away)."""

    people: NDArray[np.int64]
    time: float = 0.0
    trail: list[tuple[float, ...]] = field(default_factory=list)


class Ward(Simulation):
    """A loss system followed by a second one, with blocking after service: patients leave the ward for a place only when one is free. Without blocking the share turned away is Erlang's B.

    Sources: N. Koizumi, E. Kuno and T. E. Smith, Health Care Manag. Sci. 8 (2005) 49–60; A. K. Erlang 1917.
    """

    id: ClassVar[str] = "ward"
    title: ClassVar[str] = "Blocked beds"
    domain: ClassVar[str] = "Hospital"
    about: ClassVar[str] = (
        "A ward with a fixed number of beds, and patients who are well but wait there for a place in a nursing home. Each bed they keep turns others away at the door. "
        "Often a few more places outside help more than as many beds inside: try both."
    )
    Params: ClassVar[type[Params]] = WardParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("in_system", "Beds taken", "people"),
        Series("waiting", "Beds blocked", "people"),
        Series("placed", "In nursing places", "people"),
        Series("wanted", "Asked for a bed", "people", "total"),
        Series("arrived", "Admitted", "people", "total"),
        Series("turned_away", "Turned away", "people", "total"),
        Series("served", "Left the ward", "people", "total"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Just enough places", {}, "Blocking comes and goes."),
        Preset("Too few places", {"places": 30}, "A third of the ward waits for somewhere to go."),
        Preset("Everybody goes home", {"need_place": 0.0}, "No blocking: Erlang's loss formula holds."),
        Preset("Ten beds more", {"places": 30, "beds": 40}, "They fill with those who wait."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("N. Koizumi, E. Kuno and T. E. Smith, Modeling patient flows using a queuing network with blocking, Health Care Manag. Sci. 8 (2005) 49–60", "https://doi.org/10.1007/s10729-005-5216-3"),
        Source("A. M. de Bruin, R. Bekker, L. van Zanten and G. M. Koole, Dimensioning hospital wards using the Erlang loss model, Ann. Oper. Res. 178 (2010) 23–43", "https://doi.org/10.1007/s10479-009-0647-8"),
    )
    duration: ClassVar[float] = 365.0
    time_unit: ClassVar[str] = "days"
    stochastic: ClassVar[bool] = True

    def time_step(self, params: WardParams) -> float:
        return STEP_DAYS

    def init(self, params: WardParams, rng: np.random.Generator) -> Beds:
        return Beds(np.zeros(7, np.int64), 0.0, [(0.0, 0.0, 0.0, 0.0)])

    def step(self, state: Beds, params: WardParams, rng: np.random.Generator) -> Beds:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Beds, params: WardParams, rng: np.random.Generator, steps: int) -> Beds:
        move(rng, state.people, law_of(params), STEP_DAYS, steps)
        state.time += steps * STEP_DAYS
        state.trail.append((state.time, *(float(state.people[kind]) for kind in (0, 1, 5))))
        del state.trail[:-TRAIL]
        return state

    def changed(self, state: Beds, before: WardParams, params: WardParams, rng: np.random.Generator) -> Beds:
        """New places take those who wait for one; nobody is put out of a bed or place that is closed."""
        moved = min(state.people[1], max(0, params.places - state.people[2]))
        state.people[[1, 2, 6]] += (-moved, moved, moved)
        return state

    def observe(self, state: Beds, params: WardParams) -> dict[str, float]:
        treated, blocked, placed, wanted, admitted, away, left = (float(count) for count in state.people)
        return {"in_system": treated + blocked, "waiting": blocked, "placed": placed, "wanted": wanted, "arrived": admitted, "turned_away": away, "served": left}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            people = seen(MOVES_AT, chance(seed), np.zeros(7, np.int64), law_of(params), STEP_DAYS, steps_at(self, params, times), range(7))
            found[number] = np.column_stack([people[:, 0] + people[:, 1], people[:, 1:]])
        return found

    def pack(self, state: Beds) -> Numbers:
        return state.people[:3].astype(np.float64)

    def unpack(self, state: Beds, vector: Numbers) -> Beds:
        """Whole people, none of them negative."""
        people = state.people.copy()
        people[:3] = np.rint(np.maximum(vector, 0))
        return Beds(people, state.time, list(state.trail))

    def render(self, state: Beds, params: WardParams) -> Picture:
        """The beds; below, how many were in treatment and how many blocked."""
        image, draw = canvas()
        treated, blocked = int(state.people[0]), int(state.people[1])
        count = max(params.beds, treated + blocked)
        columns = max(10, int(np.ceil(np.sqrt(count * 3.2))))
        wide = 444 / columns
        for bed in range(count):
            x, y = 18 + bed % columns * wide, 16 + bed // columns * wide * 0.75
            colour = CARED if bed < treated else BLOCKED if bed < treated + blocked else FREE
            draw.rounded_rectangle((x, y, x + wide - 5, y + wide * 0.75 - 5), 3, fill=colour)
        share = state.people[5] / max(state.people[3], 1)
        at = 18.0
        told = ((caption("{n} in treatment", n=treated), CARED), (caption("{n} blocked", n=blocked), BLOCKED), (caption("{n} turned away ({share:.1%})", n=state.people[5], share=share), AWAY))
        for words, colour in told:
            draw.ellipse((at, 177, at + 8, 185), fill=colour)
            written(draw, (at + 13, 181), words, anchor="lm")
            at += 40 + room_of(words, 6.2)
        way = thinned(np.array(state.trail))
        chart = Chart(draw, (40, 206, 466, 326), (way[0, 0], max(way[-1, 0], way[0, 0] + 1), 0, params.beds * 1.1)).axes("days", "beds")
        chart.area(way[:, 0], 0 * way[:, 1], way[:, 1], mixed(CARED, GROUND, 0.75)).area(way[:, 0], way[:, 1], way[:, 1] + way[:, 2], mixed(BLOCKED, GROUND, 0.85)).across(params.beds)
        return picture_of(image)


def law_of(params: WardParams) -> Numbers:
    return np.array([params.arrivals_per_day, 1 / params.stay_days, params.beds, params.places, params.need_place, 1 / params.place_days])
