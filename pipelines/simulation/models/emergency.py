"""Emergency department: triage, then a bed and a doctor, the urgent first, with more arrivals by day than by night. By SimPy, process by process."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.charts import Chart, mixed, thinned, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, ui

STEP_HOURS = 0.1
TRAIL = 3000
PEAK_HOUR = 15.0
PLACES = ("triage", "waiting for a bed", "waiting for the doctor", "with the doctor", "tests")
COLOURS = (KINDS[4], KINDS[3], KINDS[1], KINDS[2], KINDS[0])


class EmergencyParams(Params):
    arrivals_per_hour: float = Field(6.0, ge=0, le=60, title="Arrivals", description="Mean number of patients in an hour, over the whole day.", json_schema_extra=ui(unit="per hour", live=True, step=0.1))
    doctors: int = Field(4, ge=1, le=60, title="Doctors", description="Patients that can be examined at once.")
    beds: int = Field(14, ge=1, le=200, title="Beds", description="Patients who can be inside at once, from their first minute in a bed until they leave.")
    daily_swing: float = Field(0.6, ge=0, le=1, title="Day and night", description="How much arrivals rise and fall in a day: 0 not at all, 1 none in the small hours.", json_schema_extra=ui(live=True, step=0.05))
    nurses: int = Field(2, ge=1, le=60, title="Triage nurses", description="Patients that can be assessed at once.", json_schema_extra=ui(advanced=True))
    triage_minutes: float = Field(6.0, ge=0, le=120, title="Triage", description="Mean length of the first assessment.", json_schema_extra=ui(unit="min", advanced=True, live=True))
    examination_minutes: float = Field(25.0, ge=1, le=600, title="Examination", description="Mean length of a doctor's examination.", json_schema_extra=ui(unit="min", advanced=True, live=True))
    tested: float = Field(0.4, ge=0, le=1, title="Sent to tests", description="Share of patients who need tests and then the doctor again, for half as long.", json_schema_extra=ui(advanced=True, live=True, step=0.05))
    test_minutes: float = Field(45.0, ge=1, le=600, title="Tests", description="Mean length of tests; the bed stays taken.", json_schema_extra=ui(unit="min", advanced=True, live=True))
    urgent: float = Field(0.15, ge=0, le=1, title="Urgent", description="Share of patients who are taken before all others.", json_schema_extra=ui(advanced=True, live=True, step=0.05))


@dataclass
class Department:
    """A SimPy environment and what is counted in it; `where` has how many are at each of PLACES. It keeps its own chance and parameters, which a step renews."""

    params: EmergencyParams
    rng: np.random.Generator
    env: Any
    nurses: Any
    beds: Any
    doctors: Any
    where: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PLACES, 0))
    arrived: int = 0
    served: int = 0
    seen: int = 0
    urgent_seen: int = 0
    waits: float = 0.0
    urgent_waits: float = 0.0
    trail: list[tuple[float, ...]] = field(default_factory=list)


class Emergency(Simulation):
    """Arrivals are Poisson at rate λ(1 + s·cos(2π(t − 15 h)/24 h)) by thinning (Lewis and Shedler 1979); all durations are exponential. With one kind of work and enough beds and nurses it is M/M/c.

    Source: S. Samaha, W. S. Armel and D. W. Starks, The use of simulation to reduce the length of stay in an emergency department, Proc. Winter Simulation Conf. (2003) 1907–1911.
    """

    id: ClassVar[str] = "emergency"
    title: ClassVar[str] = "Emergency department"
    domain: ClassVar[str] = "Hospital"
    about: ClassVar[str] = (
        "Patients are assessed by a nurse, get a bed, see a doctor, perhaps go to tests and see the doctor again; the urgent go first. "
        "Arrivals swell in the afternoon, and the line of the afternoon lasts into the night. "
        "Where it is stuck, beds or doctors, is seen in the colours."
    )
    Params: ClassVar[type[Params]] = EmergencyParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("waiting", "Waiting", "people"),
        Series("in_system", "In the department", "people"),
        Series("arrived", "Arrived", "people", "total"),
        Series("served", "Gone home or admitted", "people", "total"),
        Series("mean_wait", "Mean wait for a doctor", "min"),
        Series("urgent_wait", "Mean wait of the urgent", "min"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("A usual day", {}, "A line in the afternoon that is gone by midnight."),
        Preset("Too few beds", {"beds": 7}, "Doctors wait for beds while patients wait for doctors."),
        Preset("A doctor is missing", {"doctors": 3}, "More work than they can do."),
        Preset("A steady stream", {"daily_swing": 0.0}, "The same patients, evenly: hardly a wait."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("S. Samaha, W. S. Armel and D. W. Starks, The use of simulation to reduce the length of stay in an emergency department, Proc. Winter Simulation Conference (2003) 1907–1911", "https://doi.org/10.1109/WSC.2003.1261655"),
        Source("P. A. W. Lewis and G. S. Shedler, Simulation of nonhomogeneous Poisson processes by thinning, Nav. Res. Logist. Q. 26 (1979) 403–413", "https://doi.org/10.1002/nav.3800260304"),
        Source("SimPy, discrete-event simulation for Python", "https://simpy.readthedocs.io"),
    )
    duration: ClassVar[float] = 72.0
    time_unit: ClassVar[str] = "h"
    stochastic: ClassVar[bool] = True

    def time_step(self, params: EmergencyParams) -> float:
        return STEP_HOURS

    def init(self, params: EmergencyParams, rng: np.random.Generator) -> Department:
        import simpy

        env = simpy.Environment()
        state = Department(params, rng, env, simpy.PriorityResource(env, params.nurses), simpy.PriorityResource(env, params.beds), simpy.PriorityResource(env, params.doctors))
        env.process(arrivals(state))
        state.trail.append((0.0, *[0.0] * len(PLACES)))
        return state

    def step(self, state: Department, params: EmergencyParams, rng: np.random.Generator) -> Department:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Department, params: EmergencyParams, rng: np.random.Generator, steps: int) -> Department:
        state.params, state.rng = params, rng
        if steps:
            state.env.run(until=state.env.now + steps * STEP_HOURS)
        state.trail.append((state.env.now, *(float(count) for count in state.where.values())))
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Department, params: EmergencyParams) -> dict[str, float]:
        return {
            "waiting": state.where[PLACES[1]] + state.where[PLACES[2]] + len(state.nurses.queue),
            "in_system": state.arrived - state.served,
            "arrived": state.arrived,
            "served": state.served,
            "mean_wait": 60 * state.waits / max(state.seen, 1),
            "urgent_wait": 60 * state.urgent_waits / max(state.urgent_seen, 1),
        }

    def pack(self, state: Department) -> Numbers:
        raise BadInput("An emergency department's state is people in the midst of things: a filter can't correct it.", hint="Learn its parameters by simulation (ABC) instead.", field="model")

    def render(self, state: Department, params: EmergencyParams) -> Picture:
        """The stations with who is at each; below, how many were at each in the last two days."""
        image, draw = canvas()
        room = {PLACES[0]: params.nurses, PLACES[3]: params.doctors}
        for place, (name, colour) in enumerate(zip(PLACES, COLOURS, strict=True)):
            y, count = 20 + 32 * place, state.where[name]
            written(draw, (18, y), name, anchor="lm", size=12)
            for number in range(room.get(name, 0)):
                x = 168 + number * 12
                draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=(76, 80, 92))
            for number in range(min(count, 44)):
                x, down = 168 + number % 22 * 12, y - 5 + number // 22 * 12 if count > 22 else y
                draw.ellipse((x - 4, down - 4, x + 4, down + 4), fill=colour)
            written(draw, (466, y), str(count), INK, 12, "rm")
        taken = state.beds.count
        written(draw, (18, 186), caption("{taken} of {beds} beds taken    {clock}", taken=taken, beds=params.beds, clock=clock(state.env.now)), anchor="lm", size=12)
        way = np.array(state.trail)
        way = thinned(way[way[:, 0] >= way[-1, 0] - 48])
        edges = np.concatenate([np.zeros((len(way), 1)), np.cumsum(way[:, 1:], axis=1)], axis=1)
        chart = Chart(draw, (40, 212, 466, 326), (way[0, 0], max(way[-1, 0], way[0, 0] + 1), 0, max(edges.max() * 1.1, 5))).axes("hours", "people")
        for place, colour in enumerate(COLOURS):
            chart.area(way[:, 0], edges[:, place], edges[:, place + 1], mixed(colour, GROUND, 0.85))
        return picture_of(image)


def clock(hours: float) -> str:
    """“day 2, 14:30”; a run begins at midnight."""
    minutes = round(hours * 60)
    return caption("day {day}, {hour:02}:{minute:02}", day=minutes // 1440 + 1, hour=minutes // 60 % 24, minute=minutes % 60)


def rate_at(params: EmergencyParams, hour: float) -> float:
    """Patients per hour."""
    return params.arrivals_per_hour * (1 + params.daily_swing * math.cos(2 * math.pi * (hour - PEAK_HOUR) / 24))


def arrivals(state: Department) -> Generator[Any, Any, None]:
    """A live rate is heard within a tenth of an hour: waiting times have no memory."""
    while True:
        fastest = state.params.arrivals_per_hour * (1 + state.params.daily_swing)
        gap = state.rng.standard_exponential() / fastest if fastest > 0 else math.inf
        yield state.env.timeout(min(gap, STEP_HOURS))
        if gap <= STEP_HOURS and state.rng.random() * fastest < rate_at(state.params, state.env.now):
            state.env.process(patient(state))


def minutes(state: Department, mean: float) -> Any:
    return state.env.timeout(state.rng.standard_exponential() * mean / 60)


def patient(state: Department) -> Generator[Any, Any, None]:
    """One patient's way. Waiting is from arrival to the first examination, without triage."""
    params, came, where = state.params, state.env.now, state.where
    urgent = state.rng.random() < params.urgent
    first = 0 if urgent else 1
    state.arrived += 1
    where["triage"] += 1
    with state.nurses.request(first) as nurse:
        yield nurse
        begun = state.env.now
        yield minutes(state, state.params.triage_minutes)
    assessed = state.env.now - begun
    where["triage"] -= 1
    where["waiting for a bed"] += 1
    with state.beds.request(first) as bed:
        yield bed
        where["waiting for a bed"] -= 1
        where["waiting for the doctor"] += 1
        with state.doctors.request(first) as doctor:
            yield doctor
            waited = state.env.now - came - assessed
            state.seen, state.waits = state.seen + 1, state.waits + waited
            state.urgent_seen, state.urgent_waits = state.urgent_seen + urgent, state.urgent_waits + urgent * waited
            yield from examined(state, state.params.examination_minutes)
        if state.rng.random() < state.params.tested:
            where["tests"] += 1
            yield minutes(state, state.params.test_minutes)
            where["tests"] -= 1
            where["waiting for the doctor"] += 1
            with state.doctors.request(first) as doctor:
                yield doctor
                yield from examined(state, state.params.examination_minutes / 2)
    state.served += 1


def examined(state: Department, mean: float) -> Generator[Any, Any, None]:
    state.where["waiting for the doctor"] -= 1
    state.where["with the doctor"] += 1
    yield minutes(state, mean)
    state.where["with the doctor"] -= 1
