"""LearnParams: a table, how its columns are tied to a model's observables, what is free and what was believed of it before, and how to estimate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.simulation.params import DrawnParams
from studio.api import Params, ui

Measure = Literal["level", "new", "cumulative", "returns"]
Noise = Literal["normal", "log-normal", "Poisson", "negative binomial", "none"]
Kind = Literal["uniform", "log-uniform", "normal", "log-normal"]
Stand = Literal["none", "Gaussian process", "Network"]
Method = Literal["Maximum likelihood", "MCMC", "ABC", "Prior"]
SPREAD, RATE = "spread: ", "rate: "  # what is free of a link is called so, with its column's name
TABLE_KEY = r"^([0-9a-f]{64}\.csv)?$"


class Link(Params):
    """One column and the observable that it measures."""

    column: str = Field("", max_length=80, title="Column", description="Of the table.")
    series: str = Field("", max_length=80, title="Observable", description="Of the model, by its name.")
    measure: Measure = Field("level", title="Measures", description="The value as it stands; what is new since the row before; all since the start; or, of a price, the return since the row before in per cent.")
    rate: float = Field(1.0, gt=0, le=1e12, title="Scale", description="What the column shows of it: a share that is reported, or a change of units.")
    noise: Noise = Field("normal", title="Noise", description="How single values scatter around the model.")
    spread: float = Field(1.0, gt=0, le=1e12, title="Spread", description="Normal: standard deviation. Log-normal: that of the logarithm. Negative binomial: s in variance = m + s·m².")


class Prior(Params):
    """What is believed of a free parameter before the data: between `low` and `high`, and around `middle` where it is normal (mean, deviation) or log-normal (median, deviation of the logarithm)."""

    name: str = Field("", max_length=120, title="Parameter", description="A field of the model, or “spread: ” or “rate: ” with a column's name.")
    kind: Kind = Field("uniform", title="Prior", description="Its shape.")
    low: float = Field(0.0, ge=-1e12, le=1e12, title="At least", description="Its lower bound.")
    high: float = Field(1.0, ge=-1e12, le=1e12, title="At most", description="Its upper bound.")
    middle: float = Field(0.5, ge=-1e12, le=1e12, title="Middle", description="Mean, or median where it is log-normal.")
    width: float = Field(0.25, gt=0, le=1e12, title="Width", description="Standard deviation, or that of the logarithm where it is log-normal.")


class DataParams(DrawnParams):
    """What every way of learning asks: the table and its time."""

    table: str = Field("", pattern=TABLE_KEY, title="Table", description="A CSV file, by its key.", json_schema_extra=ui(widget="hidden"))
    sample: str = Field("", max_length=80, title="Sample data", description="One of the tables that are shipped, where none is given.", json_schema_extra=ui(widget="hidden"))
    time: str = Field("", max_length=80, title="Time column", description="Numbers or dates; empty: the rows are one unit apart.", json_schema_extra=ui(widget="hidden"))
    unit: float = Field(1.0, gt=0, le=1e9, title="Model time per unit", description="How much of the model's time one unit of the table's is; dates count in days.", json_schema_extra=ui(widget="number"))
    begin: float = Field(0.0, ge=0, le=1e9, title="Model time of the first row", description="0: the first row is the start.", json_schema_extra=ui(widget="number"))
    together: int = Field(
        1, ge=1, le=1_000_000, title="Rows put together", description="How many rows become one: of levels and totals the last stays, new values are added up. 1: all as they are.", json_schema_extra=ui(widget="number")
    )


class LearnParams(DataParams):
    links: list[Link] = Field([], max_length=20, title="Map", description="Columns and the observables they measure.", json_schema_extra=ui(widget="json"))
    free: list[Prior] = Field([], max_length=20, title="Priors", description="The free parameters; the others stay as they are.", json_schema_extra=ui(widget="json"))
    method: Method = Field("MCMC", title="Method", description="Maximum likelihood is quick; MCMC gives the whole posterior; ABC is for models with chance; Prior only shows what the priors say.")
    starts: int = Field(6, ge=1, le=50, title="Starts", description="Maximum likelihood: from how many places it climbs.", json_schema_extra=ui(advanced=True))
    walkers: int = Field(32, ge=8, le=200, title="Walkers", description="MCMC: how many walk together; at least twice the free parameters.", json_schema_extra=ui(advanced=True))
    steps: int = Field(3000, ge=100, le=50_000, title="Steps at most", description="MCMC: it ends earlier where R-hat and effective size are good.", json_schema_extra=ui(advanced=True, step=100))
    particles: int = Field(400, ge=50, le=5000, title="Particles", description="ABC: size of each population.", json_schema_extra=ui(advanced=True, step=50))
    rounds: int = Field(8, ge=1, le=30, title="Rounds at most", description="ABC: how often the threshold is lowered.", json_schema_extra=ui(advanced=True))
    keep: float = Field(0.5, ge=0.1, le=0.9, title="Kept share", description="ABC: the next threshold is that quantile of the distances.", json_schema_extra=ui(advanced=True))
    adjust: bool = Field(True, title="Regression adjustment", description="ABC: shift the accepted ones to distance zero by a local line.", json_schema_extra=ui(advanced=True))
    simulations: int = Field(20_000, ge=500, le=2_000_000, title="Simulations at most", description="ABC: its budget.", json_schema_extra=ui(advanced=True, widget="number"))
    surrogate: Stand = Field("none", title="Surrogate", description="Learnt from some runs first and then asked instead of the model: for slow models without chance.", json_schema_extra=ui(advanced=True))
    surrogate_runs: int = Field(200, ge=20, le=5000, title="Runs for the surrogate", description="How many it is learnt from; a fifth is held out to tell its error.", json_schema_extra=ui(advanced=True, step=20))
    draws: int = Field(200, ge=20, le=2000, title="Draws for bands", description="Runs that the bands are made of.", json_schema_extra=ui(advanced=True))
