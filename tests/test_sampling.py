"""Every sampler field has an effect on both engines, or is shown as left out; golden values computed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pipelines.text.sampling import ALL_FIELDS, Sampling, active, unsupported, unsupported_note
from studio.api import BadInput
from tests.text_fakes import FakeModels
from tests.text_models import complete, starter, tiny_folder, tiny_gguf  # noqa: F401

# A change of each field, and what must be on for it to matter.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "temperature": (2.0, {}),
    "top_p": (0.3, {}),
    "top_k": (2, {}),
    "min_p": (0.6, {}),
    "typical_p": (0.2, {}),
    "top_n_sigma": (0.3, {}),
    "dynatemp_range": (0.9, {}),
    "dynatemp_exponent": (6.0, {"dynatemp_range": 1.0}),
    "xtc_probability": (1.0, {"xtc_threshold": 0.01}),
    "xtc_threshold": (0.01, {"xtc_probability": 1.0}),
    "repetition_penalty": (2.5, {}),
    "repetition_last_n": (1, {"repetition_penalty": 2.5}),
    "frequency_penalty": (2.0, {}),
    "presence_penalty": (2.0, {}),
    "dry_multiplier": (5.0, {"dry_allowed_length": 1}),
    "dry_base": (6.0, {"dry_multiplier": 0.4, "dry_allowed_length": 1}),
    "dry_allowed_length": (1, {"dry_multiplier": 5.0}),
    "dry_penalty_last_n": (2, {"dry_multiplier": 5.0, "dry_allowed_length": 1}),
    "dry_sequence_breakers": (["a", "b", "e", "o", " "], {"dry_multiplier": 5.0, "dry_allowed_length": 1, "temperature": 0.3}),
    "mirostat_mode": (2, {}),
    "mirostat_tau": (0.5, {"mirostat_mode": 2}),
    "mirostat_eta": (1.0, {"mirostat_mode": 2}),
}
WIDE = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "max_tokens": 48, "logit_bias": {"2": -100.0}}
PROMPT = "a b a b a b a b a b the house the house"


@pytest.fixture(scope="module")
def models() -> Any:
    kept = FakeModels()
    yield kept
    kept.close()


def test_a_change_is_written_down_for_every_field() -> None:
    assert set(CHANGES) == ALL_FIELDS == set(Sampling.model_fields)


@pytest.mark.parametrize("engine", ["tiny_gguf", "tiny_folder"])
@pytest.mark.parametrize("field", sorted(ALL_FIELDS))
def test_changing_a_field_changes_the_text(engine: str, field: str, models: FakeModels, request: pytest.FixtureRequest) -> None:
    entry = request.getfixturevalue(engine)
    value, around = CHANGES[field]

    def text(seed: int, **more: Any) -> str:
        return str(complete(entry, models, prompt=PROMPT, seed=seed, **(WIDE | around | more)))

    assert text(0) == text(0), "the same settings and seed give the same text"
    assert any(text(seed, **{field: value}) != text(seed) for seed in range(6))


@pytest.mark.parametrize("field", sorted(ALL_FIELDS))
def test_every_field_is_described_and_bounded(field: str) -> None:
    about = Sampling.model_fields[field]
    assert about.title and about.description and about.json_schema_extra
    if field not in ("mirostat_mode", "dry_sequence_breakers"):
        with pytest.raises(BadInput) as caught:
            Sampling.parse({field: 1e9})
        assert caught.value.field == field and str(about.title) in caught.value.message


def test_only_what_has_an_effect_counts_as_set() -> None:
    assert active(Sampling(dry_base=3.0, temperature=1.0, top_p=1.0, min_p=0.0)) == []
    assert active(Sampling(dry_base=3.0, dry_multiplier=1.0, temperature=1.0, top_p=1.0, min_p=0.0)) == ["dry_multiplier", "dry_base"]


def test_what_an_engine_lacks_is_named() -> None:
    sampling = Sampling(top_k=5, xtc_probability=0.5)
    lacking = unsupported(sampling, frozenset({"temperature", "top_p", "top_k"}))
    assert lacking == ["xtc_probability"]
    assert "XTC probability" in unsupported_note(lacking, "A remote server")
    assert unsupported(Sampling(), frozenset()) == [], "untouched defaults are nobody's wish"


def test_mirostat_names_the_filters_it_replaces() -> None:
    assert unsupported(Sampling(mirostat_mode=2, top_k=5, mirostat_tau=3.0), ALL_FIELDS) == ["top_k"]


# ---- golden values -------------------------------------------------------------------------------------------


def found(*chances: float) -> Any:
    import torch

    from pipelines.text.nets.samplers import Candidates

    scores = torch.log(torch.tensor(chances))
    return Candidates(scores, torch.arange(len(chances)), torch.logsumexp(scores, 0))


def kept(candidates: Any) -> list[int]:
    return [int(number) for number in candidates.ids]


def test_filters_keep_what_their_papers_say() -> None:
    from pipelines.text.nets import samplers

    candidates = found(0.5, 0.25, 0.15, 0.1)
    assert kept(samplers.top_k(candidates, 2)) == [0, 1]
    assert kept(samplers.top_p(candidates, 0.7)) == [0, 1]
    assert kept(samplers.top_p(candidates, 0.76)) == [0, 1, 2]
    assert kept(samplers.min_p(candidates, 0.4)) == [0, 1]
    assert kept(samplers.xtc(candidates, 0.14)) == [2, 3], "only the least likely above the threshold stays, with those below"
    assert kept(samplers.xtc(candidates, 0.4)) == [0, 1, 2, 3], "one word above the threshold is left alone"
    # entropy 1.2 nats: surprises 0.69 1.39 1.90 2.30 lie 0.51 0.18 0.69 1.10 from it
    assert kept(samplers.typical(candidates, 0.2)) == [1]
    assert kept(samplers.typical(candidates, 0.3)) == [0, 1]


def test_top_n_sigma_measures_in_standard_deviations_of_the_scores() -> None:
    import torch

    from pipelines.text.nets.samplers import Candidates, top_n_sigma

    scores = torch.tensor([4.0, 3.0, 2.0, 1.0])  # standard deviation 1.118
    candidates = Candidates(scores, torch.arange(4), torch.logsumexp(scores, 0))
    assert kept(top_n_sigma(candidates, 1.0)) == [0, 1]
    assert kept(top_n_sigma(candidates, 2.0)) == [0, 1, 2]


def test_penalties_follow_their_formulas() -> None:
    import torch

    from pipelines.text.nets.samplers import penalise

    scores = penalise(torch.tensor([2.0, -2.0, 1.0]), [0, 0, 1], repetition=2.0, frequency=0.5, presence=0.25)
    assert scores.tolist() == pytest.approx([2.0 / 2 - 2 * 0.5 - 0.25, -2.0 * 2 - 0.5 - 0.25, 1.0])


def test_dry_punishes_by_the_length_of_the_copy() -> None:
    import torch

    from pipelines.text.nets.samplers import dry, repeated_phrases

    recent = [1, 2, 3, 4, 9, 1, 2, 3]
    assert repeated_phrases(recent, lambda token: False) == {4: 3}
    assert repeated_phrases(recent, lambda token: token == 2) == {4: 1}, "a breaker ends the phrase"
    assert repeated_phrases(recent, lambda token: token == 3) == {}
    scores = dry(torch.zeros(10), recent, Sampling(dry_multiplier=0.8, dry_base=2.0, dry_allowed_length=2), lambda token: False)
    assert scores[4].item() == pytest.approx(-0.8 * 2.0 ** (3 - 2)) and int((scores != 0).sum()) == 1


def test_dynamic_temperature_moves_with_doubt() -> None:
    from pipelines.text.nets.samplers import dynamic_temperature

    assert dynamic_temperature(found(0.25, 0.25, 0.25, 0.25), 1.0, 0.5, 1.0) == pytest.approx(1.5)
    assert dynamic_temperature(found(1.0 - 3e-9, 1e-9, 1e-9, 1e-9), 1.0, 0.5, 1.0) == pytest.approx(0.5, abs=1e-4)
    half = math.log(2) / math.log(4)
    assert dynamic_temperature(found(0.5, 0.5, 1e-12, 1e-12), 1.0, 0.5, 2.0) == pytest.approx(0.5 + half**2, abs=1e-4)


def test_mirostat_holds_the_surprise_it_is_given() -> None:
    import torch

    from pipelines.text.nets.samplers import Sampler

    scores = -torch.log(torch.arange(1, 1001, dtype=torch.float32))  # Zipf
    bits = -torch.log2(torch.softmax(scores, 0))
    for mode in (1, 2):
        sampler = Sampler(Sampling(temperature=1.0, mirostat_mode=mode, mirostat_tau=3.0), 1, {}, lambda token: False)
        drawn = [sampler.draw(scores.clone(), []) for _ in range(400)]
        held = sum(float(bits[token]) for token in drawn[100:]) / 300
        assert 2.0 < held < 5.0 and held < float((torch.softmax(scores, 0) * bits).sum()), (mode, held)


def test_draws_follow_the_distribution() -> None:
    import torch

    from pipelines.text.nets.samplers import Sampler

    scores = torch.log(torch.tensor([0.6, 0.3, 0.1]))
    sampler = Sampler(Sampling(temperature=1.0, top_p=1.0, min_p=0.0), 7, {}, lambda token: False)
    drawn = [sampler.draw(scores.clone(), []) for _ in range(2000)]
    for token, chance in enumerate((0.6, 0.3, 0.1)):  # four standard errors
        assert abs(drawn.count(token) / 2000 - chance) < 4 * math.sqrt(chance * (1 - chance) / 2000)


def test_the_quick_head_gives_the_same_draws_as_a_full_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipelines.text.nets import samplers

    torch.manual_seed(3)
    rows = [torch.randn(5000) * 4 for _ in range(40)]

    def draws() -> list[int]:
        sampler = samplers.Sampler(Sampling(), 5, {}, lambda token: False)
        return [sampler.draw(row.clone(), []) for row in rows]

    quick = draws()
    monkeypatch.setattr(samplers, "ROUGHLY", 5000)
    assert draws() == quick
