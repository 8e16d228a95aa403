"""Samplers and schedules by the names that the ecosystem uses, each tied to one of diffusers' schedulers and its settings. No torch.

Sources: AUTOMATIC1111's list of samplers and schedule types; diffusers' table "k-diffusion to diffusers"; the papers in `Sampler.paper`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Literal

from studio.api import BadInput, Fix

Kind = Literal["noise", "flow", "own"]  # models that foretell noise or v; models that foretell a flow; models that only their own scheduler goes with
AUTOMATIC = "Automatic"
SIGMAS = ("Uniform", "SGM Uniform", "Karras", "Exponential", "Beta")
SPACED = ("Uniform", "SGM Uniform", "DDIM")
TABLED = ("Uniform", "SGM Uniform", "Simple", "Karras", "Exponential", "Beta", "DDIM", "Align Your Steps", "KL Optimal")


@dataclass(frozen=True)
class Sampler:
    """`random` samplers add noise at each step; `evaluations` is how often the network runs in one."""

    name: str
    scheduler: str
    settings: dict[str, Any] = field(default_factory=dict)
    schedules: tuple[str, ...] = SIGMAS
    automatic: str = "Uniform"
    kind: Kind | Literal["any"] = "noise"
    random: bool = False
    evaluations: int = 1
    paper: str = ""
    aliases: tuple[str, ...] = ()
    discards: bool = False  # leaves the next-to-last noise level out, by AUTOMATIC1111's conventions
    tabled: bool = False  # its steps read the noise levels alone, so that it takes a table of our own
    tables: tuple[str, ...] = TABLED  # which of them
    loop: str = ""  # one of our own loops, where diffusers has no scheduler for it

    @property
    def accepted(self) -> tuple[str, ...]:
        """Schedules of diffusers' own, and those by our tables; one that ends above 0 is none for two evaluations a step."""
        ours = [name for name in self.tables if self.evaluations == 1 or name != "KL Optimal"] if self.tabled else []
        return tuple(dict.fromkeys((*self.schedules, *ours)))


OWN = "Model's own"
ADAPTIVE = "adaptive"  # the loop that finds the number of its steps itself
UNGUIDED = "unguided"  # the loop that takes its noise from the negative prompt alone
EULER = "EulerDiscreteScheduler"
DPM = "DPMSolverMultistepScheduler"
DPM_PAPER = "Lu et al., DPM-Solver++, 2022"
EDM_PAPER = "Karras et al., Elucidating the design space of diffusion models, 2022"
SAMPLERS: tuple[Sampler, ...] = (
    Sampler("DPM++ 2M", DPM, {"algorithm_type": "dpmsolver++", "solver_order": 2}, automatic="Karras", paper=DPM_PAPER, aliases=("k_dpmpp_2m", "dpmpp_2m"), tabled=True),
    Sampler("DPM++ 2M SDE", DPM, {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}, automatic="Exponential", random=True, paper=DPM_PAPER, aliases=("k_dpmpp_2m_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu"), tabled=True),
    Sampler("DPM++ 2M SDE Heun", DPM, {"algorithm_type": "sde-dpmsolver++", "solver_order": 2, "solver_type": "heun"}, automatic="Exponential", random=True, paper=DPM_PAPER, aliases=("k_dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"), tabled=True),
    Sampler("DPM++ 3M SDE", DPM, {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, automatic="Exponential", random=True, paper=DPM_PAPER, aliases=("k_dpmpp_3m_sde", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu"), tabled=True),
    Sampler("Euler a", "EulerAncestralDiscreteScheduler", schedules=SPACED, random=True, paper=EDM_PAPER, aliases=("k_euler_a", "k_euler_ancestral", "euler_ancestral", "euler_a", "Euler Ancestral"), tabled=True),
    Sampler("Euler", EULER, paper=EDM_PAPER, aliases=("k_euler",), tabled=True),
    Sampler("Heun", "HeunDiscreteScheduler", evaluations=2, paper=EDM_PAPER, aliases=("k_heun", "heun"), tabled=True),
    Sampler("LMS", "LMSDiscreteScheduler", paper="Liu et al., Pseudo numerical methods for diffusion models, 2022", aliases=("k_lms", "lms", "LMSD"), tabled=True),
    Sampler("DPM2", "KDPM2DiscreteScheduler", automatic="Karras", evaluations=2, paper="Lu et al., DPM-Solver, 2022", aliases=("k_dpm_2", "dpm_2", "kdpm_2", "KDPM2"), tabled=True, discards=True),
    Sampler("DPM2 a", "KDPM2AncestralDiscreteScheduler", automatic="Karras", random=True, evaluations=2, paper="Lu et al., DPM-Solver, 2022", aliases=("k_dpm_2_a", "dpm_2_ancestral", "k_dpm_2_ancestral", "kdpm_2_a", "kdpm_2_ancestral", "KDPM2 a")),
    Sampler("DPM++ 2S a", EULER, schedules=(), automatic="Karras", random=True, evaluations=2, paper=DPM_PAPER, aliases=("k_dpmpp_2s_a", "dpmpp_2s_ancestral", "k_dpmpp_2s_ancestral"), tabled=True, loop="two_stage"),
    Sampler("DPM++ SDE", EULER, schedules=(), automatic="Karras", random=True, evaluations=2, paper=DPM_PAPER, aliases=("k_dpmpp_sde", "dpmpp_sde", "dpmpp_sde_gpu"), tabled=True, loop="stochastic"),
    Sampler("Restart", EULER, schedules=(), automatic="Karras", random=True, evaluations=2, paper="Xu et al., Restart sampling for improving generative processes, 2023", aliases=("restart",), tabled=True, loop="restarted"),
    Sampler("DPM fast", EULER, schedules=(), random=True, paper="Lu et al., DPM-Solver, 2022", aliases=("k_dpm_fast", "dpm_fast"), tabled=True, tables=("Uniform",), loop="fast"),
    Sampler("DPM adaptive", EULER, schedules=(), random=True, paper="Lu et al., DPM-Solver, 2022", aliases=("k_dpm_ad", "k_dpm_adaptive", "dpm_adaptive", "dpm_ad"), tabled=True, tables=("Uniform",), loop=ADAPTIVE),
    Sampler("DEIS", "DEISMultistepScheduler", paper="Zhang and Chen, Fast sampling with exponential integrator, 2022", aliases=("deis_multistep",)),
    Sampler("UniPC", "UniPCMultistepScheduler", paper="Zhao et al., UniPC, 2023", aliases=("unipc", "uni_pc", "uni_pc_bh2")),
    Sampler("DDIM", "DDIMScheduler", schedules=SPACED, automatic="DDIM", paper="Song et al., Denoising diffusion implicit models, 2020", aliases=("ddim",)),
    Sampler("DDIM CFG++", EULER, schedules=(), automatic="DDIM", paper="Chung et al., CFG++: manifold-constrained classifier free guidance, 2024", aliases=("ddim_cfgpp", "ddim_cfg_pp"), tabled=True, tables=("DDIM",), loop=UNGUIDED),
    Sampler("DDPM", "DDPMScheduler", schedules=SPACED, automatic="DDIM", random=True, paper="Ho et al., Denoising diffusion probabilistic models, 2020"),
    Sampler("PLMS", "PNDMScheduler", {"skip_prk_steps": True}, schedules=SPACED, automatic="DDIM", paper="Liu et al., 2022", aliases=("plms", "pndm")),
    Sampler("LCM", "LCMScheduler", schedules=("DDIM",), automatic="DDIM", random=True, paper="Luo et al., Latent consistency models, 2023", aliases=("lcm",)),
    Sampler("TCD", "TCDScheduler", schedules=("DDIM",), automatic="DDIM", random=True, paper="Zheng et al., Trajectory consistency distillation, 2024"),
    Sampler("Flow Euler", "FlowMatchEulerDiscreteScheduler", schedules=("Uniform", "Karras", "Exponential", "Beta"), kind="flow", paper="Lipman et al., Flow matching, 2022; Esser et al., 2024", aliases=("Forge Flow", "euler_flow", "Euler FlowMatch", "euler", "k_euler")),
    Sampler(OWN, "", schedules=("Uniform",), kind="any"),
    Sampler("Flow Heun", "FlowMatchHeunDiscreteScheduler", schedules=("Uniform",), kind="flow", evaluations=2, paper="Lipman et al., 2022", aliases=("Heun FlowMatch", "heun", "k_heun")),
)  # fmt: skip
LOOKS = 110  # times that an adaptive loop runs the network, as measured with Stable Diffusion's levels and a CFG scale of 4 to 7; how long it takes is planned by it
NAMES = tuple(sampler.name for sampler in SAMPLERS)
SCHEDULES = ("Uniform", "SGM Uniform", "Simple", "Karras", "Exponential", "Beta", "DDIM", "Align Your Steps", "KL Optimal")
SETTINGS: dict[str, dict[str, Any]] = {
    "Uniform": {"timestep_spacing": "linspace"}, "SGM Uniform": {"timestep_spacing": "trailing"}, "DDIM": {"timestep_spacing": "leading", "steps_offset": 1},
    "Karras": {"use_karras_sigmas": True}, "Exponential": {"use_exponential_sigmas": True}, "Beta": {"use_beta_sigmas": True},
}  # fmt: skip
LABELS = {"karras": "Karras", "exponential": "Exponential", "uniform": "Uniform", "sgm_uniform": "SGM Uniform", "beta": "Beta", "ddim_uniform": "DDIM", "ddim": "DDIM", "normal": "Uniform", "simple": "Simple", "align_your_steps": "Align Your Steps", "ays": "Align Your Steps", "kl_optimal": "KL Optimal", "automatic": AUTOMATIC}


def find(name: str, kind: Kind = "noise") -> Sampler:
    """By name, alias, or both with the schedule behind them ("DPM++ 2M Karras"), large or small letters; those of the kind first. Raises BadInput."""
    wanted = split(name)[0].lower()
    for sampler in sorted(SAMPLERS, key=lambda sampler: sampler.kind != kind):
        if wanted in (sampler.name.lower(), *(alias.lower() for alias in sampler.aliases)):
            return sampler
    known = {word.lower(): sampler.name for sampler in SAMPLERS if sampler.kind in (kind, "any") for word in (sampler.name, *sampler.aliases)}
    near = difflib.get_close_matches(wanted, known, 1)
    raise BadInput(f"There is no sampler “{name}”.", hint=f"Use one of: {', '.join(NAMES)}.", field="sampler", fix=Fix.use("sampler", known[near[0]] if near else AUTOMATIC))


def split(name: str) -> tuple[str, str]:
    """Sampler and schedule of the older joined names; schedule "" where none is named."""
    for ending in (" karras", " exponential"):
        if name.lower().endswith(ending):
            return name[: -len(ending)], ending.strip().capitalize()
    return name, ""


def recognise(sampler: str, schedule: str = "") -> tuple[str, str, dict[str, str]]:
    """Names of another program as those here: sampler, schedule, and {"Sampler", "Schedule type"} for what is not known; Automatic stands for that."""
    name, joined = split(sampler)
    unknown = {}
    try:
        found = find(name).name
    except BadInput:
        found, unknown["Sampler"] = AUTOMATIC, sampler
    try:
        spread = schedule_name(schedule or joined or AUTOMATIC)
    except BadInput:
        spread, unknown["Schedule type"] = AUTOMATIC, schedule
    return found, spread, unknown


def schedule_name(name: str) -> str:
    """The schedule's name here for one of the ecosystem's. Raises BadInput."""
    found = LABELS.get(name.lower().replace(" ", "_")) or next((own for own in (AUTOMATIC, *SCHEDULES) if own.lower() == name.lower()), "")
    if not found:
        fix = Fix.use("schedule", (difflib.get_close_matches(name, SCHEDULES, 1) or [AUTOMATIC])[0])
        raise BadInput(f"There is no schedule “{name}”.", hint=f"Use one of: {', '.join((AUTOMATIC, *SCHEDULES))}.", field="schedule", fix=fix)
    return found


def choose(sampler: str, schedule: str, kind: Kind) -> tuple[Sampler, str]:
    """Both for a model of that kind, Automatic resolved. Raises BadInput where they do not go together."""
    found = find(sampler, kind)
    if found.kind not in (kind, "any"):
        fitting = [item.name for item in SAMPLERS if item.kind in (kind, "any")]
        raise BadInput(f"“{found.name}” does not go with this model.", hint=f"Use one of: {', '.join(fitting)}.", field="sampler", fix=Fix.use("sampler", AUTOMATIC))
    named = schedule_name(schedule if schedule != AUTOMATIC else split(sampler)[1] or AUTOMATIC)
    if named == AUTOMATIC:
        return found, found.automatic
    if kind == "flow" and named == "Simple":
        named = "Uniform"  # steps of equal size, which is what the name means there
    if named not in found.accepted:
        raise BadInput(f"“{found.name}” knows no schedule “{named}”.", hint=f"Use one of: {', '.join((AUTOMATIC, *found.accepted))}.", field="schedule", fix=Fix.use("schedule", AUTOMATIC))
    return found, named


def wants_table(sampler: Sampler, schedule: str, conventions: str, discard: bool = False) -> bool:
    """Whether the noise levels are those of our tables instead of diffusers' own."""
    return bool(sampler.loop) or sampler.tabled and (conventions != "diffusers" or discard or schedule not in sampler.schedules)


def scheduler_config(base: dict[str, Any], sampler: Sampler, schedule: str) -> dict[str, Any]:
    """The scheduler's settings: the model's own, with what sampler and schedule ask for."""
    if not sampler.scheduler:
        return dict(base)
    kept = {name: value for name, value in base.items() if not name.startswith(("use_karras", "use_exponential", "use_beta")) and not name.startswith("_")}
    about = SETTINGS.get(schedule, SETTINGS["Uniform"])
    if sampler.kind == "flow":
        about = {name: value for name, value in about.items() if name != "timestep_spacing"}
    return kept | sampler.settings | about
