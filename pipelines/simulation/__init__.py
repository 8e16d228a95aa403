"""Simulation: models that run, are experimented with, and learn from data."""

from __future__ import annotations

from studio.api import Pipeline, Simulation, Simulations, hookimpl


@hookimpl
def register_simulations() -> list[Simulation]:
    from pipelines.simulation.models.adaptive_trial import AdaptiveTrial
    from pipelines.simulation.models.bml import Bml
    from pipelines.simulation.models.dungeon import Dungeon
    from pipelines.simulation.models.ekman import Ekman
    from pipelines.simulation.models.emergency import Emergency
    from pipelines.simulation.models.energy_balance import EnergyBalance
    from pipelines.simulation.models.forest_fire import ForestFire
    from pipelines.simulation.models.fraud import Fraud
    from pipelines.simulation.models.garch import Garch
    from pipelines.simulation.models.gray_scott import GrayScott
    from pipelines.simulation.models.group_sequential import GroupSequential
    from pipelines.simulation.models.heat import Heat
    from pipelines.simulation.models.heston import Heston
    from pipelines.simulation.models.idm_ring import IdmRing
    from pipelines.simulation.models.ising import Ising
    from pipelines.simulation.models.kuramoto import Kuramoto
    from pipelines.simulation.models.lennard_jones import LennardJones
    from pipelines.simulation.models.life import Life
    from pipelines.simulation.models.lorenz63 import Lorenz63
    from pipelines.simulation.models.lorenz96 import Lorenz96
    from pipelines.simulation.models.lotka_volterra import LotkaVolterra
    from pipelines.simulation.models.mg1 import Mg1
    from pipelines.simulation.models.mmc import Mmc
    from pipelines.simulation.models.moving_optimum import MovingOptimum
    from pipelines.simulation.models.n_body import NBody
    from pipelines.simulation.models.nasch import Nasch
    from pipelines.simulation.models.network_sir import NetworkSir
    from pipelines.simulation.models.options import Options
    from pipelines.simulation.models.path_options import PathOptions
    from pipelines.simulation.models.percolation import Percolation
    from pipelines.simulation.models.rosenzweig_macarthur import RosenzweigMacArthur
    from pipelines.simulation.models.schelling import Schelling
    from pipelines.simulation.models.seir import Seir
    from pipelines.simulation.models.shallow_water import ShallowWater
    from pipelines.simulation.models.simon import Simon
    from pipelines.simulation.models.sir import Sir
    from pipelines.simulation.models.stochastic_sir import StochasticSir
    from pipelines.simulation.models.stommel import Stommel
    from pipelines.simulation.models.streets import Streets
    from pipelines.simulation.models.terrain import Terrain
    from pipelines.simulation.models.urban_growth import UrbanGrowth
    from pipelines.simulation.models.ward import Ward
    from pipelines.simulation.models.wolf_sheep import WolfSheep

    return [  # by domain: so they stand in the gallery
        Lorenz63(),
        Lorenz96(),
        ShallowWater(),
        EnergyBalance(),
        Heat(),
        Ekman(),
        Stommel(),
        MovingOptimum(),
        Nasch(),
        IdmRing(),
        Streets(),
        Bml(),
        LotkaVolterra(),
        RosenzweigMacArthur(),
        WolfSheep(),
        GrayScott(),
        Sir(),
        Seir(),
        StochasticSir(),
        NetworkSir(),
        Mmc(),
        Mg1(),
        Ward(),
        Emergency(),
        Simon(),
        GroupSequential(),
        AdaptiveTrial(),
        Options(),
        PathOptions(),
        Heston(),
        Garch(),
        Fraud(),
        Schelling(),
        UrbanGrowth(),
        Percolation(),
        ForestFire(),
        NBody(),
        Ising(),
        LennardJones(),
        Terrain(),
        Dungeon(),
        Life(),
        Kuramoto(),
    ]


@hookimpl
def register_pipelines(simulations: Simulations) -> list[Pipeline]:
    from pipelines.simulation.experiments.compare import Compare
    from pipelines.simulation.experiments.replicate import Replicate
    from pipelines.simulation.experiments.sobol import Sobol
    from pipelines.simulation.experiments.sweep import Sweep
    from pipelines.simulation.learning.filtering import Filtering
    from pipelines.simulation.learning.pipeline import Learn
    from pipelines.simulation.learning.surrogating import Surrogating
    from pipelines.simulation.live import SimulationLive
    from pipelines.simulation.report import Report
    from pipelines.simulation.run import SimulationRun
    from pipelines.simulation.sonify import Sonify

    return [
        SimulationRun(simulations),
        SimulationLive(simulations),
        Sweep(simulations),
        Replicate(simulations),
        Compare(simulations),
        Sobol(simulations),
        Report(simulations),
        Sonify(simulations),
        Learn(simulations),
        Filtering(simulations),
        Surrogating(simulations),
    ]
