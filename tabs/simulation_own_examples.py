"""Examples of models that one types, at least one of each kind, as declarations. No gradio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What a person can type: `needs` are the settings beside the text that this kind has."""

    id: str
    title: str
    about: str
    needs: tuple[str, ...] = ()


KINDS = (
    Kind("ode", "Differential equations", "How fast each quantity changes: dx/dt = …", ("dt",)),
    Kind("map", "Map", "The next value from this one: x' = …"),
    Kind("automaton", "Cellular automaton", "Cells on a grid, each changing by its neighbours.", ("size", "border")),
    Kind("sde", "Stochastic equations", "Change with chance in it: dX = … dt + … dW", ("dt", "method")),
    Kind("stock", "Stocks and flows", "Quantities, and what flows between them.", ("dt",)),
    Kind("agents", "Agents with states", "Many alike, each changing its state by rates.", ("dt", "size", "border")),
    Kind("pde", "Fields on a grid", "Diffusion and reaction in the plane: du/dt = D*laplace(u) + …", ("dt", "method", "size", "spacing", "border")),
)
METHODS = {"sde": {"Euler–Maruyama": "", "Milstein": "milstein"}, "pde": {"Runge–Kutta": "", "Euler": "euler"}}
BORDERS = {"Periodic": "periodic", "Fixed": "fixed", "Closed": "closed"}

SIR = """# The numbers of healthy, infectious and recovered people
dS/dt = -beta*S*I/N
dI/dt = beta*S*I/N - gamma*I
dR/dt = gamma*I

beta = 0.5 [0, 2] per day      # how easily it spreads
gamma = 0.1 [0.02, 1] per day  # how soon one recovers
N = 1000 [10, 100000] people   # how many live there
S(0) = N - 1
I(0) = 1 [0, 1000] people
R(0) = 0 [0, 1000] people

R_now = beta/gamma*S/N         # how many one case infects
view S, I"""
LOTKA_VOLTERRA = """# Prey grow and are eaten, predators live on them
dprey/dt = alpha*prey - beta*prey*predators
dpredators/dt = delta*prey*predators - gamma*predators

alpha = 1.1 [0, 3]   # growth of the prey
beta = 0.4 [0, 2]    # how often prey are caught
delta = 0.1 [0, 1]   # predators gained from prey
gamma = 0.4 [0, 2]   # death of the predators
prey(0) = 10 [0, 50]
predators(0) = 5 [0, 50]"""
LORENZ = """dx/dt = sigma*(y - x)
dy/dt = x*(rho - z) - y
dz/dt = x*y - beta*z

sigma = 10 [0, 50]                # Prandtl number
rho = 28 [0, 350]                 # how strongly it is heated
beta = 2.6666666666666665 [0, 10] # shape of the rolls
x(0) = 1 [-50, 50]
y(0) = 1 [-50, 50]
z(0) = 1 [-50, 100]
view x, z"""
BRUSSELATOR = """# A chemical clock: it swings where b > 1 + a^2
dx/dt = a + x^2*y - (b + 1)*x
dy/dt = b*x - x^2*y

a = 1 [0.1, 5]  # feed
b = 3 [0.1, 8]  # feed of the other substance
x(0) = 1 [0, 10]
y(0) = 1 [0, 10]"""
VAN_DER_POL = """# A swing that is pushed by a clock: time and choices in one line
dx/dt = v
dv/dt = mu*(1 - x^2)*v - x + push

push = if(t > 20, force*sin(omega*t), 0)
mu = 1.5 [0, 5]      # how strongly it is held at its size
force = 2 [0, 5]     # how hard it is pushed
omega = 1.2 [0, 4]   # how often it is pushed
x(0) = 1 [-3, 3]
v(0) = 0 [-5, 5]"""
LOGISTIC = """# One of the simplest ways into chaos
x' = r*x*(1 - x)

r = 3.9 [0, 4]      # growth
x(0) = 0.2 [0, 1]"""
HENON = """x[n+1] = 1 - a*x[n]^2 + y[n]
y[n+1] = b*x[n]

a = 1.4 [0, 1.4]
b = 0.3 [-0.3, 0.3]
x(0) = 0 [-1, 1]
y(0) = 0 [-1, 1]"""
LIFE = """# Born with three neighbours, stays with two or three
rule B3/S23
start alive = 0.3"""
RULE_110 = """# One row of cells; the picture shows its past
rule 110"""
FOREST = """# Trees grow, lightning strikes, fire goes to the neighbours
states: empty, tree, fire
start tree = 0.5
around 4

fire -> empty
tree -> fire if count(fire) > 0 or random() < lightning
empty -> tree if random() < growth

growth = 0.02 [0, 0.2]         # chance that a tree grows, each step
lightning = 0.0002 [0, 0.01]   # chance that a tree is struck, each step"""
ORNSTEIN = """# Noise that is always drawn back to its mean
dX = theta*(mu - X)*dt + sigma*dW

theta = 1 [0, 5]    # how strongly it is drawn back
mu = 2 [-5, 5]      # where to
sigma = 0.5 [0, 3]  # how strong the noise is
X(0) = 0 [-5, 5]"""
STOCK_PRICE = """# Geometric Brownian motion
dS = mu*S*dt + sigma*S*dW

mu = 0.08 [-0.5, 0.5] per year     # growth
sigma = 0.2 [0, 1]                 # volatility
S(0) = 100 [1, 1000] euros"""
BATHTUB = """# Water flows in until the tap is closed, and out by a hole
stock Water = 20 [0, 200] litres
flow tap: outside -> Water = if(t < closed, inflow, 0)
flow drain: Water -> outside = hole*sqrt(max(Water, 0))

inflow = 6 [0, 20] litres per minute  # how far the tap is open
closed = 30 [0, 100] minutes          # when it is closed
hole = 0.5 [0, 3]                     # how large the hole is"""
RUMOUR = """# Who knows a rumour tells it, until all they meet know it already
states: ignorant, spreader, stifler
agents 1000
start spreader = 0.01

ignorant -> spreader at tell*fraction(spreader)
spreader -> stifler at tire*(fraction(spreader) + fraction(stifler))

tell = 1 [0, 3] per day   # how often it is told
tire = 1 [0, 3] per day   # how soon one has enough of it"""
INFECTION_GRID = """# Each cell is a person who meets eight neighbours
states: healthy, ill, immune
start ill = 0.0005

healthy -> ill at beta*neighbours(ill)
ill -> immune with heal
immune -> healthy at loss

beta = 1.2 [0, 10] per day    # how easily it spreads
heal = 0.1 [0, 1]             # chance to recover, each step
loss = 0.02 [0, 0.5] per day # how soon immunity is lost"""
GRAY_SCOTT = """# Two substances: one feeds on the other and spreads more slowly
du/dt = Du*laplace(u) - u*v^2 + F*(1 - u)
dv/dt = Dv*laplace(v) + u*v^2 - (F + k)*v

F = 0.035 [0, 0.1]   # feed
k = 0.062 [0, 0.1]   # removal
Du = 0.16 [0, 0.3]   # how fast u spreads
Dv = 0.08 [0, 0.15]  # how fast v spreads

u(0) = if(max(abs(x - width/2), abs(y - width/2)) < 6, 0.5, 1) + 0.02*noise()
v(0) = if(max(abs(x - width/2), abs(y - width/2)) < 6, 0.25, 0)"""
FITZHUGH = """# Waves as in nerves and in the heart; click to start one
du/dt = D*laplace(u) + u - u^3/3 - v
dv/dt = eps*(u + a - b*v)

D = 0.3 [0, 2]        # how fast it spreads
eps = 0.08 [0, 0.5]   # how slowly it recovers
a = 0.7 [0, 1]
b = 0.8 [0, 1]
u(0) = if(x < width/2, 1.5, -1.2)
v(0) = if(y < width/2, 0.8, -0.62)
view u"""


def _example(title: str, kind: str, text: str, about: str, **settings: Any) -> dict[str, Any]:
    return {"schema": 1, "title": title, "kind": kind, "text": text, "about": about, **settings}


EXAMPLES: tuple[dict[str, Any], ...] = (
    _example("Epidemic", "ode", SIR, "People are healthy, infectious or recovered. The infection ends when too few are healthy. At the peak, one case infects one other.", duration=100, dt=0.1, time_unit="days"),
    _example("Predators and prey", "ode", LOTKA_VOLTERRA, "Prey grow, predators eat them. Their numbers go round in circles, the predators always a little later.", duration=60, dt=0.01),
    _example("Lorenz attractor", "ode", LORENZ, "Three equations left over from a fluid that is heated. Starts that differ a little soon go different ways.", duration=50, dt=0.01),
    _example("Brusselator", "ode", BRUSSELATOR, "A chemical reaction that swings by itself. Where b is small it comes to rest.", duration=50, dt=0.01),
    _example("Pushed oscillator", "ode", VAN_DER_POL, "It swings by itself, and is pushed from time 20 on. It may follow the push, or not.", duration=80, dt=0.01),
    _example("Logistic map", "map", LOGISTIC, "Next year's animals from this year's. More growth makes it rest, swing, and go wild.", duration=100),
    _example("Hénon map", "map", HENON, "Two numbers that are folded again and again. The points fill a strange attractor.", duration=2000),
    _example("Game of Life", "automaton", LIFE, "Cells are born and die by how many neighbours they have. Gliders, blinkers and blocks come of nothing but that.", duration=300),
    _example("Rule 110", "automaton", RULE_110, "Each cell looks at itself and its two neighbours. This rule can compute all that can be computed.", duration=200, size=192),
    _example("Forest fire", "automaton", FOREST, "Trees grow, and burn when lightning strikes one of theirs. The denser the forest, the larger the fires.", duration=300, size=128),
    _example("Pulled noise", "sde", ORNSTEIN, "Chance pushes, and a spring pulls back: the Ornstein–Uhlenbeck process. It comes to swing around its mean.", duration=20, dt=0.01),
    _example("Share price", "sde", STOCK_PRICE, "Growth and chance, both in proportion to the price. It never falls below nothing.", duration=1, dt=0.004, time_unit="years", method="milstein"),
    _example("Bathtub", "stock", BATHTUB, "Water comes by the tap and leaves by the drain. What flows out depends on how full it is.", duration=120, dt=0.1, time_unit="minutes"),
    _example("Rumour", "agents", RUMOUR, "A rumour is told until those who know it meet only each other. About a fifth never hear of it.", duration=30, dt=0.1, time_unit="days"),
    _example("Infection among neighbours", "agents", INFECTION_GRID, "People meet only those around them. The infection goes through the town in waves.", duration=100, dt=0.5, time_unit="days", size=128),
    _example("Spots and stripes", "pde", GRAY_SCOTT, "Two substances that react and spread at different speeds: the Gray–Scott model. Patterns come of it by themselves.", duration=5000, dt=1.0),
    _example("Nerve waves", "pde", FITZHUGH, "A stimulus runs on as a wave: the FitzHugh–Nagumo model. Waves that meet put each other out.", duration=300, dt=0.1, size=128, border="closed", method="euler"),
)  # fmt: skip


def example_of(kind: str) -> dict[str, Any]:
    """The first of a kind."""
    return next(example for example in EXAMPLES if example["kind"] == kind)
