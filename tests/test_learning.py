"""Learning from data: tables of any make, priors, likelihoods, and three ways to a posterior against what is known exactly."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.simulation.learning.chain import Chain
from pipelines.simulation.learning.given import SAMPLES, samples
from pipelines.simulation.learning.noise import log_density, scattered, variance
from pipelines.simulation.learning.params import LearnParams, Link, Prior
from pipelines.simulation.learning.pipeline import Learn
from pipelines.simulation.learning.posterior import Posterior, effective_size, equal_weight, split_r_hat
from pipelines.simulation.learning.priors import Beliefs
from pipelines.simulation.learning.question import Question
from pipelines.simulation.learning.surrogate import surrogate_doubts
from pipelines.simulation.learning.tables import read_table
from pipelines.simulation.models.garch import Garch
from pipelines.simulation.models.mmc import Mmc
from pipelines.simulation.spread import Helpers
from studio.api import BadInput, Result, Simulations, Stopped
from studio.i18n import Words
from studio.inputs import Inputs
from tabs.simulation_learn_form import _about
from tests.learning_models import Arrivals, Counted, Ctx, Line

SIMULATIONS = Simulations([Line(), Arrivals(), Counted()])
LINE_PRIORS = [Prior(name="start", low=-10, high=10), Prior(name="slope", low=-5, high=5)]
SPREAD = 0.5


def line_data() -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(0, 10, 0.5)
    return times, 2 + 0.7 * times + SPREAD * np.random.default_rng(3).standard_normal(len(times))


def kept(tmp_path: Path, data: bytes) -> tuple[str, dict[str, Path]]:
    inputs = Inputs(tmp_path)
    key = inputs.keep_table(data)
    return key, {key: inputs.path(key)}


def learn(tmp_path: Path, data: bytes | None = None, ctx: Ctx | None = None, **values: Any) -> Result:
    """A run on the line's data."""
    if data is None:
        data = ("t,y\n" + "\n".join(f"{time},{value}" for time, value in zip(*line_data(), strict=True))).encode()
    key, files = kept(tmp_path, data)
    asked: dict[str, Any] = {"model": "line", "table": key, "time": "t", "links": [Link(column="y", series="value", spread=SPREAD)], "free": LINE_PRIORS, "draws": 20, "steps": 400} | values
    ctx = ctx or Ctx()
    ctx.files = files
    return Learn(SIMULATIONS).run(LearnParams(**asked), ctx)


def exact() -> tuple[np.ndarray, np.ndarray]:
    """Linear regression: (best, standard errors)."""
    times, values = line_data()
    design = np.column_stack([np.ones(len(times)), times])
    return np.linalg.lstsq(design, values, rcond=None)[0], np.sqrt(np.diag(SPREAD**2 * np.linalg.inv(design.T @ design)))


# -- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "names", "first", "decimal"),
    [
        (b"t,x\n0,1\n1,NA\n2,3.5\n", ["t", "x"], [0, 1], "."),
        (b"t;x\n0;1,5\n1;-\n2;2,5\n", ["t", "x"], [0, 1.5], ","),
        ("\ufefft\tx\n0\t1\n1\t2\n".encode(), ["t", "x"], [0, 1], "."),
        ("t,x\n0,1\n1,2\n".encode("utf-16"), ["t", "x"], [0, 1], "."),
        ("t,x\n0,1\n1,2\n".encode("utf-16-le"), ["t", "x"], [0, 1], "."),
        ("日;値\n0;1\n1;2\n".encode("cp932"), ["日", "値"], [0, 1], "."),
        ("Jahr;Größe\n1900;1\n1901;2\n".encode("cp1252"), ["Jahr", "Größe"], [1900, 1], "."),
        (b"1 2\n2 3\n", ["column 1", "column 2"], [1, 2], "."),
        (b'a,b\n"1,234",5\n"2,345",6\n', ["a", "b"], [1234, 5], "."),
        (b'a,b\n"1,5",5\n"2,25",6\n', ["a", "b"], [1.5, 5], ","),
        (b"# made by hand\r\nt,x\r\n0,1\r\n\r\n1,2\r\n", ["t", "x"], [0, 1], "."),
        (b't,x\n0,1\n1,2\n# seisei e30=\n', ["t", "x"], [0, 1], "."),  # as a run's table is kept
        (b"Report of May\nt,x\n0,1\n1,2\n", ["t", "x"], [0, 1], "."),
        (b"t,x\n2020-01-01,1\n2020-01-03,2\n", ["t", "x"], [18262, 1], "."),
        (b"t,x\n1.2.2020,1\n13.2.2020,2\n", ["t", "x"], [18293, 1], "."),
        (b"t,t\n0,1\n1,2\n", ["t", "t (2)"], [0, 1], "."),
    ],
)  # fmt: skip
def test_tables_of_any_make_are_read(data: bytes, names: list[str], first: list[float], decimal: str) -> None:
    table = read_table(data)
    assert [column.name for column in table.columns] == names
    assert [column.values[0] for column in table.columns] == first
    assert table.decimal == decimal


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"), (b"t,x\n", "no rows"), (b"t,x\n0,1\n1,2\n2,3,4\n", "Line 4 has 3 columns"), (b"a\0b,c\n1,2\n", "byte 2 is zero"),
        (b'\xff\xfet\0,\0x', "not utf-16"), (b",".join(b"x" for _ in range(300)) + b"\n" + b",".join(b"1" for _ in range(300)), "300 columns"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read_table(data)
    assert refused.value.field == "table" and refused.value.hint


def test_where_text_stands_in_a_table_is_said_in_the_page_s_language() -> None:
    words = Words()
    column = {"name": "who", "kind": "text", "wrong": "“Ann” in line 2, column 3"}
    assert [_about(partial(words.say, lang), column) for lang in ("en", "ja")] == ["text: “Ann” in line 2, column 3", "文字：2 行目・3 列目の「Ann」"]


def test_text_is_named_where_it_is_mapped() -> None:
    table = read_table(b"t,x,who\n0,1,Ann\n1,2,Bob\n")
    assert table.columns[2].kind == "text"
    with pytest.raises(BadInput, match="“Ann” in line 2, column 3"):
        table.column("who", "links")
    with pytest.raises(BadInput, match="no column “y”"):
        table.column("y", "links")
    open_quote = read_table(b't,x\n0,1\n1,"2\n2,3\n3,4\n')
    assert open_quote.columns[1].wrong.endswith("in line 3, column 2"), "where it begins, not where the file ends"


def test_rows_are_put_together(tmp_path: Path) -> None:
    data = ("t,x,who,day\n" + "\n".join(f"{at},{at % 10},a,2020-01-{at:02}" for at in range(1, 32))).encode()
    table = read_table(data, 10)
    assert table.notes == ("Of 31 rows 10 each are put together.",) and (table.rows, table.every) == (31, 10)
    assert table.columns[0].values.tolist() == [10, 20, 30] and table.columns[0].first == 1
    assert table.columns[1].sums.tolist() == [45, 45, 45] and table.columns[1].values.tolist() == [0, 0, 0]
    assert table.columns[2].kind == "text" and "line 2, column 3" in table.columns[2].wrong
    assert table.columns[3].kind == "date" and np.diff(table.columns[3].values).tolist() == [10, 10]
    for rows, together, use in ((25, 10, 0), (20_000, 2, 4)):
        with pytest.raises(BadInput) as refused:
            read_table(b"t,x\n" + b"".join(b"%d,1\n" % at for at in range(rows)), together)
        assert refused.value.field == "together"
        assert not use if refused.value.fix is None else refused.value.fix.values == {"together": use}


def test_what_is_new_in_many_rows_is_added_up(tmp_path: Path) -> None:
    total = Line().observed([Line().Params(start=2.0, slope=1.0)], np.arange(0, 61.0), [0])[0, :, 1]
    data = ("t,y\n" + "\n".join(f"{time + 1},{new:.6f}" for time, new in enumerate(np.diff(total)))).encode()
    asked: dict[str, Any] = {"links": [Link(column="y", series="sum", measure="new", spread=0.05)], "method": "Maximum likelihood", "begin": 1.0, "starts": 2}
    whole, less = (learn(tmp_path, data, together=together, **asked) for together in (1, 5))
    for result in (whole, less):
        assert [row["best"] for row in result.summary["table"]] == pytest.approx([2, 1], abs=2e-2)
    bands = [next(artifact.data for artifact in result.artifacts if "bands" in artifact.title and artifact.suffix == ".csv").decode().splitlines() for result in (whole, less)]
    assert [len(rows) for rows in bands] == [61, 13] and bands[1][1].startswith("5,")
    with pytest.raises(BadInput, match="not in the order of time"):
        learn(tmp_path, b"t,y\n" + b"".join(b"%d,1\n" % (60 - at) for at in range(60)), together=5, **asked)


@pytest.mark.slow
def test_new_values_of_many_rows_are_offered_to_be_put_together(tmp_path: Path) -> None:
    data = b"t,y\n" + b"".join(b"%d,1\n" % at for at in range(12_000))
    with pytest.raises(BadInput) as refused:
        learn(tmp_path, data, links=[Link(column="y", series="sum", measure="new")], unit=0.001)
    assert refused.value.field == "together" and refused.value.fix and refused.value.fix.values == {"together": 3}


def test_looking_for_a_start_tells_how_far_it_is(tmp_path: Path) -> None:
    for method, note in (("Maximum likelihood", "Climbing from several places"), ("MCMC", "Looking for a start")):
        ctx = Ctx(stop_at=200, stop_in=note)
        with pytest.raises(Stopped):
            learn(tmp_path, ctx=ctx, method=method)
        told = [(step, total) for step, total, said in ctx.steps if said == note]
        assert told == sorted(told) and told[-1][0] > 150 and {total for _, total in told} == {told[0][1]} and told[-1][0] < told[0][1]


@pytest.mark.slow
def test_a_million_rows_are_thinned_with_a_word() -> None:
    data = b"t,x\n" + b"".join(b"%d,%d\n" % (number, number % 7) for number in range(1_000_000))
    table = read_table(data)
    assert table.rows == 1_000_000 and len(table.columns[0].values) == 5000
    assert table.notes == ("Of 1,000,000 rows one in 200 is used.",)


def test_pictures_and_nothing_are_no_tables(tmp_path: Path) -> None:
    for data in (b"", b"  \n", b"\x89PNG\r\n"):
        with pytest.raises(BadInput):
            Inputs(tmp_path).keep_table(data)


# -- priors, noise, diagnostics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uniform", "log-uniform", "normal", "log-normal"])
def test_priors_are_the_distributions_they_are_called(kind: Any) -> None:
    from scipy import stats

    prior = Prior(name="p", kind=kind, low=0.5, high=8, middle=2, width=0.6)
    known = {
        "uniform": stats.uniform(0.5, 7.5), "log-uniform": stats.loguniform(0.5, 8), "normal": stats.truncnorm(-1.5 / 0.6, 6 / 0.6, 2, 0.6),
        "log-normal": stats.truncnorm((np.log(0.5) - np.log(2)) / 0.6, (np.log(8) - np.log(2)) / 0.6, np.log(2), 0.6),
    }[kind]  # fmt: skip
    shares = np.array([0.01, 0.3, 0.5, 0.9])
    expected = np.exp(known.ppf(shares)) if kind == "log-normal" else known.ppf(shares)
    beliefs = Beliefs([prior])
    found = beliefs.at(shares[:, None])
    assert found[:, 0] == pytest.approx(expected, rel=1e-9)
    assert beliefs.shares(found)[:, 0] == pytest.approx(shares, rel=1e-9)
    assert beliefs.values(beliefs.z(found))[:, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"low": 2, "high": 1}, "less than the upper"),
        ({"kind": "log-uniform", "low": 0, "high": 1}, "above 0"),
        ({"kind": "log-normal", "low": -2, "high": 0, "middle": -1}, "above 0"),
        ({"kind": "normal", "middle": 7}, "not between"),
    ],
)
def test_priors_that_are_none_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Beliefs([Prior(name="p", **values)])


def test_noise_is_what_scipy_says() -> None:
    from scipy import stats

    data, mean, spread = np.array([3.0, 7.0]), np.array([[4.0, 5.0]]), np.array([[0.4]])
    assert log_density("normal", data, mean, spread)[0] == pytest.approx(stats.norm(mean[0], 0.4).logpdf(data))
    assert log_density("log-normal", data, mean, spread)[0] == pytest.approx(stats.lognorm(0.4, scale=mean[0]).logpdf(data))
    assert log_density("Poisson", data, mean, spread)[0] == pytest.approx(stats.poisson(mean[0]).logpmf(data))
    size = 1 / 0.4
    assert log_density("negative binomial", data, mean, spread)[0] == pytest.approx(stats.nbinom(size, size / (size + mean[0])).logpmf(data))


def test_a_filter_s_variance_is_that_of_the_noise() -> None:
    means, rng = np.full(200_000, 40.0), np.random.default_rng(2)
    for kind, spread in (("normal", 3.0), ("log-normal", 0.3), ("Poisson", 1.0), ("negative binomial", 0.2)):
        drawn = scattered(kind, means[None], np.array([[spread]]), rng)[0]  # type: ignore[arg-type]
        middle = np.exp(0.3**2 / 2) if kind == "log-normal" else 1.0  # its mean is above its median
        assert drawn.var() == pytest.approx(variance(kind, means[:1] * middle, spread)[0], rel=0.03)  # type: ignore[arg-type]


def test_diagnostics_see_chains_that_do_not_agree() -> None:
    rng = np.random.default_rng(1)
    good = rng.standard_normal((500, 8, 1))
    assert split_r_hat(good)[0] < 1.01
    assert effective_size(good)[0] == pytest.approx(4000, rel=0.15)
    assert split_r_hat(good + np.arange(8)[None, :, None])[0] > 2
    slow = np.empty((4000, 4, 1))
    slow[0] = 0
    for step in range(1, 4000):
        slow[step] = 0.9 * slow[step - 1] + np.sqrt(1 - 0.81) * rng.standard_normal((4, 1))
    assert effective_size(slow)[0] == pytest.approx(16_000 / 19, rel=0.3)  # (1 + 0.9) / (1 - 0.9)


def test_weights_become_draws_in_their_shares() -> None:
    drawn = equal_weight(np.array([1.0, 2.0, 1.0]), 400, np.random.default_rng(0))
    assert np.bincount(drawn).tolist() == pytest.approx([100, 200, 100], abs=1)


def test_what_data_cannot_tell_is_said() -> None:
    rng = np.random.default_rng(2)
    beliefs = Beliefs([Prior(name=name, low=0, high=1) for name in ("wide", "one", "two", "low")])
    one = 0.2 * rng.standard_normal(2000)
    z = np.column_stack([rng.standard_normal(2000), one, one + 0.01 * rng.standard_normal(2000), -2.5 + 0.2 * rng.standard_normal(2000)])
    told = " ".join(Posterior(beliefs, z, {"r_hat": [1.0, 1.2, 1.0, 1.0]}).warnings())
    assert "little about wide" in told and "one and two can't be told apart" in told and "low lies at its lower bound" in told and "R-hat of one is 1.20" in told
    assert Posterior(beliefs, np.column_stack([0.1 * rng.standard_normal(2000) for _ in range(4)]), {"r_hat": [1.0] * 4}).warnings() == []


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_two_of_which_only_the_product_is_known_cannot_be_told_apart(noise: float) -> None:
    """Along a hyperbola the correlation of the values themselves is far from 1."""
    rng = np.random.default_rng(3)
    beliefs = Beliefs([Prior(name="r0", low=1, high=20), Prior(name="contacts", low=0, high=1)])
    r0 = np.exp(rng.uniform(np.log(2.2), np.log(18), 3000))
    contacts = 2.0 / r0 * np.exp(noise * rng.standard_normal(3000))
    assert abs(np.corrcoef(r0, contacts)[0, 1]) < 0.95
    assert "r0 and contacts can't be told apart" in " ".join(Posterior(beliefs, beliefs.z(np.column_stack([r0, contacts]))).warnings())


# -- three ways --------------------------------------------------------------------------------------------------


def test_maximum_likelihood_is_linear_regression(tmp_path: Path) -> None:
    best, errors = exact()
    table = learn(tmp_path, method="Maximum likelihood").summary["table"]
    assert [row["best"] for row in table] == pytest.approx(best, abs=1e-3)
    assert [row["error"] for row in table] == pytest.approx(errors, rel=0.01)


@pytest.mark.slow
def test_mcmc_gives_the_posterior_of_linear_regression(tmp_path: Path) -> None:
    best, errors = exact()
    result = learn(tmp_path, method="MCMC", steps=2000)
    for row, middle, error in zip(result.summary["table"], best, errors, strict=True):
        assert row["mean"] == pytest.approx(middle, abs=0.15 * error)
        assert row["sd"] == pytest.approx(error, rel=0.1)
        assert row["high"] - row["low"] == pytest.approx(2 * 1.645 * error, rel=0.1)
        assert row["r_hat"] < 1.05 and row["effective"] > 400
    assert result.summary["warnings"] == []
    assert {artifact.suffix for artifact in result.artifacts} == {".png", ".svg", ".csv", ".json"}


@pytest.mark.slow
def test_abc_gives_the_gamma_posterior_of_a_poisson_process(tmp_path: Path) -> None:
    came = Arrivals().observed([Arrivals().Params()], np.arange(0, 41.0), [7])[0, :, 0]
    data = ("t,n\n" + "\n".join(f"{time},{count:.0f}" for time, count in enumerate(came))).encode()
    asked: dict[str, Any] = {"model": "arrivals", "links": [Link(column="n", series="came", measure="cumulative", noise="none")], "free": [Prior(name="rate", low=0.1, high=20)], "method": "ABC"}
    row = learn(tmp_path, data, **asked).summary["table"][0]
    shape = came[-1] + 1
    assert row["mean"] == pytest.approx(shape / 41, abs=0.25 * np.sqrt(shape) / 41)
    assert row["sd"] == pytest.approx(np.sqrt(shape) / 41, rel=0.25)
    counted = learn(tmp_path, data, **(asked | {"model": "counted", "method": "MCMC", "steps": 800})).summary["table"][0]
    assert counted["mean"] == pytest.approx((came[-1] - came[0] + 1) / 40, rel=0.02)
    assert counted["sd"] == pytest.approx(np.sqrt(came[-1] - came[0] + 1) / 40, rel=0.1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for method in ("Maximum likelihood", "MCMC", "ABC"):
        asked: dict[str, Any] = {"method": method, "steps": 100, "particles": 50, "simulations": 500}
        first, second, other = (learn(tmp_path, ctx=Ctx(seed), **asked) for seed in (5, 5, 6))
        assert [artifact.data for artifact in first.artifacts] == [artifact.data for artifact in second.artifacts]
        posterior = [next(artifact.data for artifact in result.artifacts if artifact.title.startswith("Posterior · ")) for result in (first, other)]
        assert posterior[0] != posterior[1]


def test_stop_keeps_the_draws_so_far(tmp_path: Path) -> None:
    for method, stop_at, during in (("MCMC", 60, "Walking"), ("ABC", 12, "")):
        ctx = Ctx(stop_at=stop_at, stop_in=during)
        with pytest.raises(Stopped):
            learn(tmp_path, ctx=ctx, method=method, particles=100, simulations=20_000)
        assert [artifact.title for artifact in ctx.kept_outputs] == [f"Posterior so far · {Line.title}"]
        assert len(ctx.kept_outputs[0].data.splitlines()) > 50


def test_a_climb_that_was_stopped_keeps_the_best_so_far(tmp_path: Path) -> None:
    ctx = Ctx(stop_at=300)
    with pytest.raises(Stopped):
        learn(tmp_path, ctx=ctx, method="Maximum likelihood")
    [kept_one] = ctx.kept_outputs
    assert kept_one.title == f"Best values so far · {Line.title}"
    head, best, *_ = kept_one.data.decode().splitlines()
    assert head == "start,slope,log_likelihood"
    start, slope, height = (float(value) for value in best.split(","))
    times, values = line_data()
    told = -0.5 * (((start + slope * times - values) / SPREAD) ** 2 + np.log(2 * np.pi * SPREAD**2)).sum()
    assert height == pytest.approx(told, abs=0.2)  # times are to the nearest step
    assert [start, slope] == pytest.approx(exact()[0], abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"method": "Maximum likelihood", "starts": 6}, {"method": "MCMC", "steps": 120}, {"method": "ABC", "particles": 50, "simulations": 600}, {"method": "MCMC", "steps": 120, "surrogate": "Gaussian process", "surrogate_runs": 40},
    ],
)  # fmt: skip
def test_two_processes_find_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]) -> None:
    rounds: list[int] = []
    given = Helpers.each
    monkeypatch.setattr(Helpers, "each", lambda self, tasks: rounds.append(len(tasks)) or given(self, tasks))
    for name in ("pipelines.simulation.learning.many.START_SECONDS", "pipelines.simulation.learning.many.ROUND_SECONDS", "pipelines.simulation.spread.START_SECONDS"):
        monkeypatch.setattr(name, 0.0)
    one, two = Ctx(5), Ctx(5)
    two.processes = 2
    alone, shared = (untimed(learn(tmp_path, ctx=ctx, **asked)) for ctx in (one, two))
    assert alone == shared
    assert rounds and sum(rounds) > 3


def untimed(result: Result) -> list[bytes]:
    """All its files; of those with settings all but how much faster the surrogate was."""
    kept_ones = []
    for artifact in result.artifacts:
        told = json.loads(artifact.data) if artifact.suffix == ".json" else {}
        told.get("facts", {}).get("surrogate", {}).pop("faster", None)
        told.pop("warnings", None)
        kept_ones.append(json.dumps(told).encode() if told else artifact.data)
    return kept_ones


def test_new_values_and_reporting_rates_are_measured(tmp_path: Path) -> None:
    total = Line().observed([Line().Params(start=2.0, slope=1.0)], np.arange(0, 11.0), [0])[0, :, 1]
    data = ("t,y\n" + "\n".join(f"{time},{0.5 * new:.6f}" for time, new in enumerate(np.diff(total, prepend=0)))).encode()
    links = [Link(column="y", series="sum", measure="new", spread=0.05)]
    result = learn(tmp_path, data, links=links, free=[Prior(name="rate: y", low=0.05, high=2)], values={"start": 2.0, "slope": 1.0}, method="Maximum likelihood")
    assert result.summary["table"][0]["best"] == pytest.approx(0.5, abs=1e-3)
    assert result.summary["notes"] == ["The first row of “y” is left out: nothing is new at the start."]
    half = learn(tmp_path, data, links=[links[0].model_copy(update={"rate": 0.5})], free=LINE_PRIORS, method="Maximum likelihood")
    assert [row["best"] for row in half.summary["table"]] == pytest.approx([2, 1], abs=1e-2)


@pytest.mark.slow
def test_a_surrogate_gives_the_same_posterior_or_says_that_it_does_not(tmp_path: Path) -> None:
    bare = learn(tmp_path, method="MCMC", steps=1000).summary["table"]
    summary = learn(tmp_path, method="MCMC", steps=1000, surrogate="Gaussian process", surrogate_runs=60).summary
    stand = summary["facts"]["surrogate"]
    assert max(stand["error"].values()) < 1e-3 and stand["trust"] > 0.9
    for one, other in zip(bare, summary["table"], strict=True):
        assert one["mean"] == pytest.approx(other["mean"], abs=0.2 * one["sd"])
    rough = learn(tmp_path, method="MCMC", steps=400, surrogate="Network", surrogate_runs=20).summary
    assert rough["facts"]["surrogate"]["trust"] < stand["trust"]
    poor = {"error": {"value": 0.2}, "faster": 0.5, "trust": 0.1}
    assert [warning.split(" ")[0:3] for warning in surrogate_doubts(poor)] == [["The", "surrogate", "is"], ["The", "surrogate's", "posterior"], ["The", "model", "itself"]]


def test_the_prior_alone_is_shown_before(tmp_path: Path) -> None:
    result = learn(tmp_path, method="Prior")
    assert [artifact.suffix for artifact in result.artifacts] == [".png", ".svg", ".csv"]
    assert result.summary == {"notes": []}


# -- what is refused, what each field does -----------------------------------------------------------------------

LINK = Link(column="y", series="value", spread=SPREAD)
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"table": "", "sample": ""}, "no data", "table"), ({"table": "", "sample": "nothing"}, "no sample", "sample"), ({"time": "z"}, "no column", "time"), ({"links": []}, "No column is tied", "links"),
    ({"links": [Link(column="y", series="z")]}, "no observable", "links"), ({"links": [Link(column="y", series="value", measure="new")]}, "is a level", "links"), ({"links": [LINK, LINK]}, "two observables", "links"),
    ({"links": [Link(column="y", series="value", noise="Poisson")]}, "is no count", "links"), ({"links": [Link(column="y", series="value", noise="none")]}, "says nothing", "links"), ({"free": []}, "No parameter is free", "free"),
    ({"free": [LINE_PRIORS[0]] * 2}, "free twice", "free"), ({"free": [Prior(name="nope")]}, "no parameter", "free"), ({"free": [Prior(name="slope", low=-50, high=5)]}, "at least", "free"),
    ({"free": [Prior(name="spread: y", low=0, high=1)]}, "more than 0", "free"), ({"unit": 1e7}, "steps", "unit"), ({"walkers": 9}, "even number", "walkers"), ({"method": "ABC", "particles": 400, "simulations": 500}, "need 1,600", "simulations"),
    ({"model": "arrivals", "links": [Link(column="y", series="came")], "free": [Prior(name="rate", low=1, high=9)]}, "has chance in it", "method"), ({"values": {"slope": 99}}, "at most 10", "values.slope"),
    ({"free": [Prior(name="slope", low=9.92, high=9.99)], "method": "Prior"}, "every run of the model fails", "free"), ({"free": [Prior(name="slope", low=9.92, high=9.99)]}, "Nowhere within the priors", "free"),
    ({"method": "ABC", "surrogate": "Network"}, "asks the model itself", "surrogate"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said", "field"), REFUSED, ids=[said for _, said, _ in REFUSED])
def test_what_cannot_be_asked_is_refused_at_its_field(tmp_path: Path, values: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        learn(tmp_path, **values)
    assert refused.value.field == field and refused.value.hint


@pytest.mark.parametrize("data", [b"t,y\n0,1\n0,2\n1,3\n2,3\n", b"t,y\n0,1\n,2\n1,3\n2,4\n", b"t,y\n0,1\n1,NA\n2,NA\n"])
def test_times_that_are_missing_or_twice_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match="twice|missing|fewer than 3"):
        learn(tmp_path, data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"unit": 2.0}), ({}, {"begin": 1.0}), ({}, {"time": ""}), ({}, {"draws": 40}), ({}, {"method": "Maximum likelihood"}), ({}, {"walkers": 16}), ({}, {"steps": 100}),
        ({"method": "Maximum likelihood", "free": [*LINE_PRIORS, Prior(name="idle", low=-1, high=1)]}, {"starts": 1}),
        ({"method": "ABC", "particles": 100, "simulations": 3000}, {"particles": 60}), ({"method": "ABC", "particles": 100, "simulations": 3000}, {"rounds": 1}),
        ({"method": "ABC", "particles": 100, "simulations": 3000}, {"keep": 0.8}), ({"method": "ABC", "particles": 100, "simulations": 3000}, {"adjust": False}), ({"method": "ABC", "particles": 100, "simulations": 3000}, {"simulations": 900}),
        ({}, {"surrogate": "Gaussian process", "surrogate_runs": 40}), ({"surrogate": "Gaussian process", "surrogate_runs": 40}, {"surrogate_runs": 30}), ({}, {"values": {"slope": 2.0}, "free": LINE_PRIORS[:1]}),
    ],
)  # fmt: skip
def test_every_field_acts(tmp_path: Path, base: dict[str, Any], change: dict[str, Any]) -> None:
    def told(values: dict[str, Any]) -> list[bytes]:
        found = learn(tmp_path, **({"steps": 200} | values)).artifacts
        return [artifact.data for artifact in found if artifact.suffix == ".csv"] + [json.dumps(len(found)).encode()]

    before, after = told(base), told(base | change)
    if "starts" in change:
        assert learn(tmp_path, **base).summary["facts"]["starts"] == 6
        assert learn(tmp_path, **(base | change)).summary["facts"]["starts"] == 1
    else:
        assert before != after


def test_samples_have_sources_and_can_be_read() -> None:
    for name, sample in samples().items():
        table = read_table((SAMPLES / f"{name}.csv").read_bytes())
        assert sample["source"] and sample["licence"] and sample["about"]
        assert not table.notes and {link["column"] for link in sample["settings"]["links"]} <= {column.name for column in table.columns}
        asked = LearnParams(sample=name, **sample["settings"])
        Beliefs(asked.free)


def test_a_page_gets_its_first_guesses() -> None:
    given = Learn(SIMULATIONS).given
    seen = given.seen(b"day,value,who\n2020-01-01,1.5,a\n2020-01-02,,b\n2020-01-03,3.5,c\n", Line())
    assert seen["time"] == "day" and [column["kind"] for column in seen["columns"]] == ["date", "number", "text"] and seen["columns"][1]["gaps"] == 1
    links = given.first_links(Line(), b"day,value\n0,1.5\n1,2.5\n2,3.5\n")
    assert [(link["column"], link["series"], link["measure"], link["noise"]) for link in links] == [("value", "value", "level", "normal")]
    long = rows_of("t,y", list(range(6000)), [1.0] * 6000)
    assert any("6,000" in note for note in given.seen(long, Line())["notes"]) and not given.seen(long, Garch())["notes"], "a likelihood of its own takes all"
    prior = given.first_prior(Line(), {"slope": 1.0}, "slope", links)
    assert (prior["low"], prior["high"], prior["middle"]) == (-10, 10, 1.0)


# -- data that are large, incidence, returns, dates --------------------------------------------------------------


def rows_of(names: str, *columns: Any) -> bytes:
    return (names + "\n" + "\n".join(",".join(f"{value:.10g}" if isinstance(value, float) else str(value) for value in row) for row in zip(*columns, strict=True))).encode()


def settled_at(tmp_path: Path, data: bytes, models: Simulations, **values: Any) -> LearnParams:
    """As a job is settled before it is queued, in the page's process."""
    key, _ = kept(tmp_path, data)
    desk: Any = SimpleNamespace(inputs=Inputs(tmp_path))
    return Learn(models).settle(LearnParams(**{"table": key} | values), desk)


def asked_of(tmp_path: Path, data: bytes, models: Simulations, **values: Any) -> Question:
    return Learn(models)._question(LearnParams(**values), data)


QUEUE: dict[str, Any] = {"model": "mmc", "time": "hour", "links": [Link(column=name, series=name) for name in ("arrived", "served")], "free": [Prior(name="arrivals_per_hour", low=1, high=100)]}


@pytest.mark.parametrize(
    ("arrived", "served", "said"),
    [([30_000, 30_005, 30_007], [29_990, 29_999, 30_003], "Row 1: 30,000 came and 29,990 went"), ([5, 9, 20_009], [1, 4, 20_000], "Row 3: 20,000 came and 19,996 went")],
)
def test_counts_that_would_fill_the_memory_are_refused_with_their_row(tmp_path: Path, arrived: list[int], served: list[int], said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        settled_at(tmp_path, rows_of("hour,arrived,served", [0.5, 1.0, 1.5], arrived, served), Simulations([Mmc()]), **QUEUE)
    assert refused.value.field == "links" and refused.value.hint


def test_a_line_of_a_million_is_refused_with_its_row(tmp_path: Path) -> None:
    asked = QUEUE | {"links": [Link(column="in_system", series="in_system")]}
    with pytest.raises(BadInput, match="Row 2: 1,000,000 people are too many") as refused:
        settled_at(tmp_path, rows_of("hour,in_system", [0.5, 1.0, 1.5], [3, 1_000_000, 2]), Simulations([Mmc()]), **asked)
    assert refused.value.field == "links"


def test_the_page_s_process_asks_a_likelihood_about_gaps_only(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watched(Counted):
        def log_likelihood(self, data: Any, times: Any, params: Any) -> float:
            seen.append(data["came"])
            return super().log_likelihood({"came": data["came"]}, times, params)

    settled_at(tmp_path, rows_of("t,n", [1, 2, 3, 4], [2, 4, 9, 12]), Simulations([Watched()]), model="counted", time="t", links=[Link(column="n", series="came")], free=[Prior(name="rate", low=1, high=9)])
    assert len(seen) == 1 and np.isnan(seen[0]).all()


def test_what_an_own_likelihood_does_not_use_is_refused(tmp_path: Path) -> None:
    data, models = rows_of("hour,arrived,served,waiting", [0.5, 1.0, 1.5], [3, 4, 6], [1, 2, 5], [0, 0, 0]), Simulations([Mmc()])
    third = Link(column="waiting", series="waiting")
    for change, said, field in (
        ({"links": [*QUEUE["links"], third]}, "does not use “waiting”", "links"), ({"links": [third, Link(column="served", series="waiting")]}, "the same observable", "links"),
        ({"free": [*QUEUE["free"], Prior(name="rate: served", low=0.5, high=1)]}, "has no place in that", "free"), ({"free": [*QUEUE["free"], Prior(name="spread: served", low=0.5, high=1)]}, "has no place in that", "free"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=said) as refused:
            settled_at(tmp_path, data, models, **QUEUE | change)
        assert refused.value.field == field and refused.value.hint
    settled_at(tmp_path, data, models, **QUEUE)


TYPED_SIR = "dS/dt = -beta*S*I/N\ndI/dt = beta*S*I/N - gamma*I\ndC/dt = beta*S*I/N\nbeta = 0.5 [0, 3] per day\ngamma = 0.2\nN = 10000\nS(0) = N - 10\nI(0) = 10\nC(0) = 0"


def test_weekly_new_cases_tell_the_infectiousness_of_a_typed_epidemic(tmp_path: Path) -> None:
    from scipy.integrate import solve_ivp

    def change(_: float, y: Any) -> list[float]:
        new = 0.45 * y[0] * y[1] / 10_000
        return [-new, new - 0.2 * y[1], new]

    weeks = np.arange(1, 16)
    total = solve_ivp(change, (0, 120), [9990, 10, 0], t_eval=7.0 * weeks, rtol=1e-9, atol=1e-6).y[2]
    own = json.dumps({"kind": "ode", "text": TYPED_SIR, "dt": 0.05, "duration": 120, "time_unit": "days"})
    asked: dict[str, Any] = {"model": "own", "own": own, "time": "week", "unit": 7.0, "begin": 7.0, "links": [Link(column="new", series="C", measure="new", noise="normal", spread=5.0)], "free": [Prior(name="beta", low=0.1, high=2)]}
    data = rows_of("week,new", weeks, np.diff(total, prepend=0.0).tolist())
    result = learn(tmp_path, data, method="Maximum likelihood", starts=2, **asked)
    assert result.summary["table"][0]["best"] == pytest.approx(0.45, abs=0.002)
    assert result.summary["notes"] == ["The first row of “new” is left out: what was before it is not known."]
    assert result.summary["within"]["new"] == 1
    with pytest.raises(BadInput, match="is a level"):
        learn(tmp_path, data, **asked | {"links": [Link(column="new", series="C", measure="cumulative")]})


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        (["2021-02-27", "", "2021-02-28", "2021-02-29", "2021-02-30"], "“2021-02-29” in line 5"),
        (["27/02/2021", "28/02/2021", "soon", "01/03/2021"], "“soon” in line 4"),
        (["1", "2", "many", "4"], "“many” in line 4"),
        (["many", "2021-02-27", "2"], "“many” in line 2"),
    ],
)
def test_the_cell_that_breaks_a_column_is_the_one_that_is_named(cells: list[str], wrong: str) -> None:
    """The 29th of February 2021 there never was: not the good dates before it are the fault."""
    table = read_table(rows_of("day,y", cells, range(len(cells))))
    assert table.columns[0].kind == "text" and table.columns[0].wrong == f"{wrong}, column 1"


@pytest.mark.parametrize(
    ("cells", "first", "steps", "said"),
    [
        ([f"{month:02}/01/2020" for month in range(1, 13)], "2020-01-01", [31, 29, 31], "month/day/year is taken"),
        ([f"01/{month:02}/2020" for month in range(1, 13)], "2020-01-01", [31, 29, 31], "day/month/year is taken"),
        (["03/02/2021", "10/02/2021", "03/03/2021", "10/03/2021"], "2021-02-03", [7, 21, 7], "day/month/year is taken"),
        (["12/01/2020", "12/08/2020", "12/15/2020"], "2020-12-01", [7, 7], ""),
        (["01/01/2020", "02/02/2020"], "2020-01-01", [32], ""),
    ],
)
def test_dates_that_could_be_either_are_taken_as_they_come_evenly_and_it_is_said(cells: list[str], first: str, steps: list[int], said: str) -> None:
    table = read_table(rows_of("day,y", cells, range(len(cells))))
    days = table.columns[0].values
    assert days[0] == (np.datetime64(first) - np.datetime64("1970-01-01")).astype(int) and np.diff(days)[: len(steps)].tolist() == steps
    assert [said in note for note in table.notes] == ([True] if said else [])


def test_trading_days_count_row_by_row(tmp_path: Path) -> None:
    days = [str(day) for day in np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]") if np.is_busday(day)]
    asked: dict[str, Any] = {"model": "garch", "time": "day", "links": [Link(column="r", series="return_percent")], "free": [Prior(name="omega", low=0.01, high=1)]}
    question = asked_of(tmp_path, rows_of("day,r", days, [0.1] * len(days)), Simulations([Garch()]), **asked)
    assert question.evidence.times.tolist() == list(range(len(days))) and "weekends and holidays are no gaps" in question.evidence.notes[0]


def test_six_thousand_returns_are_used_in_full_and_prices_become_returns(tmp_path: Path) -> None:
    returns = np.random.default_rng(4).standard_normal(6000)
    prices = 1000 * np.exp(np.cumsum(returns) / 100)
    models, free = Simulations([Garch()]), [Prior(name="omega", low=0.01, high=1)]
    told = asked_of(tmp_path, rows_of("r", returns.tolist()), models, model="garch", links=[Link(column="r", series="return_percent")], free=free)
    assert len(told.evidence.times) == 6000
    data = b"p\n" + b"\n".join(f"{price:.12g}".encode() for price in prices)
    question = asked_of(tmp_path, data, models, model="garch", links=[Link(column="p", series="return_percent", measure="returns")], free=free)
    assert np.isnan(question.evidence.data[0][0]) and question.evidence.data[0][1:] == pytest.approx(returns[1:], abs=1e-6)
    question.check_own()
    for wrong, said in (({"together": 3}, "one row in 3"), ({}, "row 2: -1 is no price")):
        with pytest.raises(BadInput, match=said):
            asked_of(tmp_path, data.replace(f"{prices[1]:.12g}".encode(), b"-1", 1) if not wrong else data, models, model="garch", links=[Link(column="p", series="return_percent", measure="returns")], free=free, **wrong)


def test_a_table_is_read_once_and_its_file_is_not_kept() -> None:
    given = Learn(SIMULATIONS).given
    data = b"t,y\n0,1\n1,2\n2,3\n"
    assert given.table(data) is given.table(bytes(bytearray(data))) and given.table(data, 1, 2) is not given.table(data)
    for number in range(6):
        given.table(data + b"%d,1\n" % (number + 3))
    assert len(given._tables) == 4 and not any(isinstance(part, bytes) for key in given._tables for part in key)


def test_the_steps_of_a_table_are_those_of_the_chosen_values(tmp_path: Path) -> None:
    class Fine(Line):
        id = "fine"

        def time_step(self, params: Any) -> float:
            return 1e-7 if params.idle else 0.1

    data, asked = rows_of("t,y", range(10), range(10)), {"model": "fine", "time": "t", "links": [LINK], "free": LINE_PRIORS}
    asked_of(tmp_path, data, Simulations([Fine()]), **asked)
    with pytest.raises(BadInput, match="steps") as refused:
        asked_of(tmp_path, data, Simulations([Fine()]), values={"idle": 1.0}, **asked)
    assert refused.value.field == "unit"


# -- what is best, what is whole, what is short ------------------------------------------------------------------


def test_the_best_of_a_walk_is_the_likeliest_and_not_the_one_in_the_middle_of_its_prior(tmp_path: Path) -> None:
    data = rows_of("t,y", *(column.tolist() for column in line_data()))
    question = asked_of(tmp_path, data, SIMULATIONS, model="line", time="t", links=[LINK], free=[LINE_PRIORS[0], Prior(name="slope", low=0.69, high=5)])
    chain = Chain(question, 16, 300)
    chain.walk(Ctx())  # type: ignore[arg-type]
    posterior = chain.posterior()
    assert posterior is not None
    assert question.log_likelihood(posterior.best[None])[0] >= question.log_likelihood(posterior.z).max() - 1e-9


@pytest.mark.parametrize("kind", ["uniform", "log-uniform", "normal", "log-normal"])
def test_the_density_of_a_prior_is_that_of_its_draws(kind: Any) -> None:
    beliefs = Beliefs([Prior(name="p", kind=kind, low=0.5, high=8, middle=2, width=0.6)])
    z = np.array([[-1.0], [0.0], [0.5], [1.2]])
    slopes = (beliefs.values(z + 1e-5) - beliefs.values(z - 1e-5)) / 2e-5
    by_change = beliefs.log_density(z) - np.log(slopes[:, 0])
    found = beliefs.log_density_of(beliefs.values(z))
    assert found - found[0] == pytest.approx(by_change - by_change[0], abs=1e-6)


def test_whole_numbers_of_a_uniform_prior_are_equally_likely() -> None:
    shares = (np.arange(9000)[:, None] + 0.5) / 9000
    for low, high in ((1, 3), (0.6, 3.4)):
        found = Beliefs([Prior(name="p", low=low, high=high)], [True]).at(shares)[:, 0]
        assert [(found == number).mean() for number in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=1e-3)
    assert set(Beliefs([Prior(name="p", kind="log-uniform", low=1, high=3)], [True]).at(shares)[:, 0]) == {1, 2, 3}
    whole = Beliefs([Prior(name="p", low=1, high=3)], [True])
    drawn = whole.draw(np.random.default_rng(1), 2000)
    assert "tell little about p" in Posterior(whole, drawn).warnings()[0] and "at its upper bound" in Posterior(whole, np.abs(drawn) + 2).warnings()[0]
    with pytest.raises(BadInput, match="no whole number from 1.2 to 1.8"):
        Beliefs([Prior(name="p", low=1.2, high=1.8)], [True])


def test_a_short_walk_is_said_to_be_short() -> None:
    z = 0.1 * np.random.default_rng(2).standard_normal((2000, 1))
    beliefs = Beliefs([Prior(name="p", low=0, high=1)])
    assert "150 independent draws of p, fewer than 400" in Posterior(beliefs, z, {"r_hat": [1.0], "effective": [150.0]}).warnings()[0]
    assert Posterior(beliefs, z, {"r_hat": [1.0], "effective": [900.0]}).warnings() == []
