"""Which instrument each of General MIDI's 128 programs is played by. Values are by ear, spectra and looks at recordings' descriptions in the literature, no samples.

Source of the programs: General MIDI System Level 1 (MIDI Manufacturers Association, 1991). Of formants: G. Peterson and H. Barney,
"Control Methods Used in a Study of the Vowels", JASA 24, 1952; of the shares of organs' drawbars: footages of a pipe organ's ranks.
"""

from __future__ import annotations

from dataclasses import replace

from pipelines.music.sound.synth.effects import Effect
from pipelines.music.sound.synth.held import Held
from pipelines.music.sound.synth.struck import Bars, Modulated, Plucked, Strings, Struck
from pipelines.music.sound.synth.tables import Spectrum

Patch = Struck | Held | Effect

AH = ((730.0, 130.0, 6.0), (1090.0, 150.0, 3.0), (2440.0, 220.0, 0.7))
OO = ((320.0, 110.0, 6.0), (870.0, 130.0, 1.6), (2240.0, 220.0, 0.15))
WIDE = ((-7.0, -0.8), (0.0, 0.0), (7.0, 0.8))
BROAD = ((-11.0, -0.9), (-4.0, -0.3), (4.0, 0.3), (11.0, 0.9))
PAIR = ((-5.0, -0.6), (5.0, 0.6))
VIOLIN = ((290.0, 90.0, 0.9), (480.0, 120.0, 1.3), (1000.0, 500.0, 0.8), (2600.0, 1400.0, 1.3))


# -- struck and plucked ----------------------------------------------------------------------------------------

GRAND = Struck(Strings(), 7.0, 0.22)
PIANOS = (
    GRAND,
    Struck(Strings(bright=1.8, slope=0.85), 6.5, 0.2),
    Struck(Strings(bright=1.3, slope=0.9, apart=2.0, seconds=7), 5.5, 0.2),
    Struck(Strings(bright=1.2, apart=9.0, seconds=7, stiff=7e-4), 5.5, 0.2),
    Struck(Bars(((1, 1, 5), (2, 0.16, 3.5), (3, 0.10, 2.2), (4, 0.03, 1.5), (7.1, 0.10, 0.4), (14.3, 0.04, 0.2)), tap=0.03, fall=0.35, tremolo=(4.6, 0.25), wide=1.2), 5.0, 0.2, -1.0),
    Struck(Modulated(((1, 1, 1.4, 0.25, 0.9, 0.8, 5.0), (1, 14, 0.5, 0.02, 0.12, 0.35, 2.2))), 5.0, 0.25, -1.0),
    Struck(Strings(stiff=5e-5, bright=6.0, slope=0.55, apart=1.5, seconds=4.5, point=1 / 9, knock=0.1), 4.0, 0.12, -2.0),
    Struck(Strings(stiff=1e-4, bright=3.0, slope=0.6, apart=0.3, seconds=3.0, point=1 / 5, knock=0.15), 2.5, 0.06, -2.0),
)
CELESTA = Struck(Bars(((1, 1, 2.8), (2.0, 0.08, 1.6), (4.02, 0.30, 0.7), (9.1, 0.08, 0.2)), tap=0.04, wide=0.6), 2.8, 0.9)
MUSIC_BOX = Struck(Bars(((1, 1, 2.6), (1.004, 0.35, 2.9), (3.01, 0.10, 1.1), (6.27, 0.34, 0.55), (11.2, 0.12, 0.25), (17.55, 0.08, 0.12)), tap=0.08, tap_hertz=6000, wide=1.0), 2.8, 0.0)
CHROMATIC = (
    CELESTA,
    Struck(Bars(((1, 1, 2.4), (2.756, 0.45, 1.2), (5.404, 0.3, 0.6), (8.93, 0.15, 0.25)), tap=0.07, tap_hertz=8000), 2.6, 0.0, -1.0),
    MUSIC_BOX,
    Struck(Bars(((1, 1, 4.5), (4.0, 0.22, 1.1), (10.1, 0.08, 0.35)), tap=0.04, tremolo=(5.2, 0.55), wide=0.5), 4.5, 0.35),
    Struck(Bars(((1, 1, 1.1), (3.93, 0.35, 0.30), (9.4, 0.12, 0.10)), tap=0.10, tap_hertz=1500), 1.3, 0.0),
    Struck(Bars(((1, 1, 0.7), (3.0, 0.5, 0.28), (6.1, 0.25, 0.12), (10.2, 0.12, 0.06)), tap=0.16, tap_hertz=5000), 0.9, 0.0),
    Struck(Bars(((1, 0.9, 4.0), (0.5, 0.22, 5.0), (1.506, 0.5, 3.2), (1.997, 0.45, 2.6), (2.49, 0.30, 2.0), (3.01, 0.22, 1.4), (4.17, 0.12, 0.8), (5.43, 0.08, 0.5)), tap=0.06, fall=0.3, wide=0.8), 5.0, 0.0, -1.0),
    Struck(Strings(stiff=1e-4, bright=3.0, slope=0.8, apart=4.0, seconds=5.0, point=1 / 6, knock=0.3), 4.0, 0.5),
)
NYLON = Struck(Plucked(4.5, 0.30, 0.25, 0.42), 4.5, 0.12)
GUITARS = (
    NYLON,
    Struck(Plucked(6.0, 0.65, 0.15, 0.25, twins=1.0), 5.5, 0.12),
    Struck(Plucked(5.0, 0.35, 0.32, 0.40, body=((180, 0.1),)), 4.5, 0.12),
    Struck(Plucked(6.0, 0.60, 0.22, 0.25, body=(), twins=2.5), 5.5, 0.12),
    Struck(Plucked(0.45, 0.30, 0.12, 0.48, body=((110, 0.3),)), 0.7, 0.08),
    Held(Spectrum(0.7, bright=3600, dark=1300, formants=((500, 500, 0.5), (2400, 1600, 0.8))), 0.006, 2.5, 0.35, 0.12, 0.5, 0.8, vibrato=(5.0, 8, 0.8), unison=PAIR, level=-2),
    Held(Spectrum(0.45, bright=5200, dark=2200, formants=((700, 700, 0.7), (3000, 1800, 1.4))), 0.004, 4.0, 0.55, 0.12, 0.6, 1.2, vibrato=(5.2, 12, 0.7), unison=PAIR, level=-3),
    Struck(Bars(((1, 1, 2.8), (2, 0.25, 1.6), (3, 0.1, 0.9), (4, 0.05, 0.6)), tap=0.08, tap_hertz=3000), 3.0, 0.3),
)
BASSES = (
    Struck(Plucked(2.4, 0.25, 0.30, 0.42, body=((62, 0.3), (98, 0.3))), 2.6, 0.10, 1.0),
    Struck(Plucked(3.2, 0.26, 0.22, 0.38, body=()), 3.2, 0.09, 1.0),
    Struck(Plucked(3.4, 0.55, 0.12, 0.28, body=()), 3.2, 0.09, 1.0),
    Held(Spectrum(1.35, bright=1900, dark=500), 0.02, 1.6, 0.5, 0.1, 0.5, 0.6, vibrato=(5, 9, 0.5), scoop=25, level=1),
    Struck(Plucked(3.0, 0.95, 0.09, 0.22, body=((120, 0.5),)), 2.8, 0.08, 1.0),
    Struck(Plucked(2.6, 1.0, 0.06, 0.20, body=((95, 0.5),)), 2.6, 0.08, 1.0),
    Held(Spectrum(1.0, bright=3500, dark=320), 0.004, 0.7, 0.55, 0.08, 0.12, 0.16, level=1),
    Held(Spectrum(1.0, even=0.25, bright=2200, dark=260), 0.004, 0.5, 0.6, 0.08, 0.2, 0.22, unison=((-3.0, -0.1), (3.0, 0.1)), level=1),
)
HARP = Struck(Plucked(3.6, 0.45, 0.38, 0.38, body=((130, 0.25), (240, 0.2))), 4.0, 0.0)
PIZZICATO = Struck(Plucked(0.75, 0.35, 0.22, 0.45, body=((280, 0.5), (460, 0.4))), 1.0, 0.0)
TIMPANI = Struck(Bars(((1, 1, 1.6), (1.5, 0.55, 1.2), (1.99, 0.4, 0.9), (2.44, 0.25, 0.7), (2.9, 0.15, 0.5), (0.85, 0.25, 0.25)), tap=0.25, tap_hertz=500, fall=0.25), 2.0, 0.0, 2.0)


# -- held ------------------------------------------------------------------------------------------------------


def organ(*drawbars: tuple[float, float], **changes: object) -> Held:
    return replace(Held(Spectrum(drawbars=drawbars, bright=9000, dark=5000), 0.008, 1.0, 1.0, 0.06, 1.0, unison=PAIR), **changes)  # type: ignore[arg-type]


ORGANS = (
    organ((1, 1), (2, 0.8), (3, 0.6), (4, 0.35), (6, 0.15), (8, 0.25), tremolo=(6.3, 0.12)),
    organ((1, 0.9), (2, 0.5), (3, 0.75), tremolo=(6.8, 0.10)),
    organ((1, 1), (2, 0.9), (3, 0.9), (4, 0.6), (5, 0.4), (6, 0.4), (8, 0.5), tremolo=(6.6, 0.2)),
    Held(
        Spectrum(drawbars=((1, 0.8), (2, 1), (3, 0.28), (4, 0.7), (6, 0.22), (8, 0.45), (12, 0.1), (16, 0.16)), bright=9000, dark=7000),
        0.05,
        1,
        1,
        0.35,
        1.0,
        unison=((-3.0, -0.7), (0.0, 0.1), (3.5, 0.7)),
        breath=(0.006, 1, 6),
    ),
    Held(Spectrum(0.8, even=0.7, bright=3800, dark=1500, formants=((900, 600, 0.8),)), 0.05, 1, 0.95, 0.1, 0.9, swell=True, tremolo=(5, 0.12), breath=(0.01, 1, 8)),
    Held(Spectrum(0.75, bright=4800, dark=2400, formants=((1200, 900, 0.8),)), 0.035, 1, 0.95, 0.09, 0.95, swell=True, unison=((-8.0, -0.4), (0.0, 0.0), (8.0, 0.4)), level=-1),
    Held(Spectrum(0.85, even=0.8, bright=3800, dark=1400, formants=((1500, 800, 1.2),)), 0.04, 1, 0.95, 0.09, 0.9, swell=True, vibrato=(5.2, 9, 0.4), tremolo=(5.2, 0.15), breath=(0.012, 1, 8)),
    Held(Spectrum(0.8, bright=4000, dark=1900, formants=((800, 600, 0.9),)), 0.03, 1, 0.95, 0.09, 0.95, swell=True, unison=((-8.0, -0.4), (8.0, 0.4)), level=-1),
)


def bowed(bright: float, dark: float, depth: float = 14.0, **changes: object) -> Held:
    return replace(Held(Spectrum(0.9, bright=bright, dark=dark, formants=VIOLIN, floor=0.5), 0.09, 1.5, 0.9, 0.16, 0.9, swell=True, vibrato=(5.6, depth, 0.45), breath=(0.012, 2, 10)), **changes)  # type: ignore[arg-type]


SECTION = Held(Spectrum(0.95, bright=5200, dark=1700, formants=VIOLIN, floor=0.7), 0.16, 2.0, 0.92, 0.32, 0.9, swell=True, vibrato=(5.1, 7, 0.5), unison=BROAD, breath=(0.008, 2, 10))
STRINGS = (
    bowed(6500, 1700),
    bowed(5000, 1300),
    bowed(3600, 950, 12, attack=0.1),
    bowed(2400, 650, 9, attack=0.12, level=1.0),
    replace(SECTION, attack=0.05, tremolo=(12.5, 0.75), level=1),
    PIZZICATO,
    HARP,
    TIMPANI,
    SECTION,
    replace(SECTION, attack=0.32, release=0.55, spectrum=Spectrum(1.05, bright=4200, dark=1300, formants=VIOLIN, floor=0.7)),
    Held(Spectrum(1.0, bright=5200, dark=1800), 0.14, 2, 0.9, 0.35, 0.85, unison=BROAD),
    Held(Spectrum(1.15, bright=3300, dark=1000), 0.3, 2, 0.9, 0.6, 0.8, unison=BROAD),
    Held(Spectrum(0.85, bright=5000, dark=2600, formants=AH, floor=0.06), 0.14, 2, 0.95, 0.3, 0.95, vibrato=(5.0, 10, 0.6), unison=BROAD, breath=(0.015, 1, 5)),
    Held(Spectrum(1.1, bright=2600, dark=1400, formants=OO, floor=0.05), 0.12, 2, 0.95, 0.28, 0.95, vibrato=(5.0, 9, 0.6), unison=WIDE, breath=(0.012, 1, 4)),
    Held(Spectrum(0.9, bright=4200, dark=1800, formants=((500, 160, 4), (1500, 260, 2), (2500, 300, 0.8)), floor=0.12), 0.08, 2, 0.92, 0.28, 0.9, vibrato=(5.2, 8, 0.5), unison=WIDE, breath=(0.02, 1, 5)),
    Held(Spectrum(0.75, bright=7000, dark=2500), 0.006, 0.18, 0.08, 0.2, 0.5, 0.15, unison=BROAD, breath=(0.08, 0.5, 12), level=2),
)


def brass(bright: float, dark: float, **changes: object) -> Held:
    return replace(Held(Spectrum(0.55, bright=bright, dark=dark, formants=((1250, 900, 0.7),)), 0.045, 0.6, 0.85, 0.11, 0.8, 0.25, swell=True, vibrato=(5.0, 5, 0.7), scoop=18), **changes)  # type: ignore[arg-type]


BRASS = (
    brass(5200, 1100),
    brass(3400, 750, attack=0.055),
    brass(1500, 380, attack=0.06, scoop=10.0, level=1.0),
    brass(5200, 2000, spectrum=Spectrum(0.5, bright=6500, dark=2600, formants=((1700, 900, 2.2), (3500, 1500, 1.0)), floor=0.25)),
    brass(1900, 520, attack=0.07, scoop=12.0),
    brass(4600, 1000, unison=WIDE),
    Held(Spectrum(0.8, bright=5500, dark=900), 0.05, 0.6, 0.8, 0.2, 0.7, 0.4, swell=True, unison=BROAD),
    Held(Spectrum(1.0, bright=3400, dark=700), 0.07, 0.8, 0.8, 0.25, 0.7, 0.5, swell=True, unison=WIDE),
)


def reed(bright: float, dark: float, formants: tuple[tuple[float, float, float], ...], even: float = 1.0, **changes: object) -> Held:
    return replace(Held(Spectrum(0.8, even, bright, dark, formants, 0.45), 0.04, 1.0, 0.92, 0.09, 0.9, swell=True, vibrato=(5.0, 9, 0.55), breath=(0.018, 1, 8)), **changes)  # type: ignore[arg-type]


REEDS = (
    reed(5200, 1900, ((1100, 700, 1.2), (2800, 1200, 0.7))),
    reed(4500, 1500, ((850, 600, 1.2), (2200, 1000, 0.6))),
    reed(3700, 1150, ((620, 450, 1.2), (1700, 900, 0.6))),
    reed(2800, 800, ((420, 350, 1.2), (1200, 700, 0.6))),
    reed(5200, 2600, ((1050, 450, 2.2), (2900, 800, 1.2)), attack=0.035, breath=(0.008, 1, 8)),
    reed(3900, 1700, ((900, 400, 2.0), (2200, 800, 0.8)), breath=(0.008, 1, 8)),
    reed(2400, 850, ((480, 250, 2.0), (1150, 400, 0.8)), breath=(0.008, 1, 8), vibrato=(4.8, 5.0, 0.6)),
    reed(3800, 1200, ((1500, 1200, 0.6),), 0.12, vibrato=(0.0, 0.0, 0.0), breath=(0.010, 1, 6)),
)


def pipe(*harmonics: float, breath: tuple[float, float, float] = (0.05, 0.7, 4), **changes: object) -> Held:
    bars = tuple((number + 1.0, share) for number, share in enumerate(harmonics))
    return replace(Held(Spectrum(drawbars=bars, bright=4.5, dark=1.4), 0.055, 1, 0.95, 0.11, 0.9, swell=True, vibrato=(5.1, 8, 0.5), breath=breath), **changes)  # type: ignore[arg-type]


FLUTE = pipe(1, 0.42, 0.22, 0.10, 0.05, 0.02, tremolo=(5.1, 0.10))
PIPES = (
    pipe(1, 0.7, 0.35, 0.16, 0.06, attack=0.035, breath=(0.035, 0.8, 4)),
    FLUTE,
    pipe(1, 0.18, 0.30, 0.06, 0.08, attack=0.03, vibrato=(0.0, 0.0, 0.0), breath=(0.025, 0.8, 5)),
    pipe(1, 0.3, 0.16, 0.05, breath=(0.16, 0.6, 3), attack=0.045),
    pipe(1, 0.08, 0.06, breath=(0.22, 0.5, 2.5), attack=0.06),
    pipe(1, 0.55, 0.4, 0.2, 0.1, breath=(0.20, 0.5, 5), attack=0.07, scoop=40.0, vibrato=(4.6, 16.0, 0.6)),
    pipe(1, 0.03, 0.02, breath=(0.012, 0.8, 2), vibrato=(6.0, 18.0, 0.25), attack=0.04),
    pipe(1, 0.06, 0.12, 0.02, breath=(0.05, 0.7, 2.5), vibrato=(4.5, 7.0, 0.5)),
)
SQUARE = Held(Spectrum(1.0, 0.0, 14_000, 5000), 0.003, 0.4, 0.8, 0.05, 0.8, level=-2)
LEADS = (
    SQUARE,
    Held(Spectrum(1.0, 1.0, 12_000, 3000), 0.004, 0.5, 0.8, 0.07, 0.7, unison=PAIR, level=-2),
    pipe(1, 0.5, 0.1, 0.25, breath=(0.08, 0.7, 4), vibrato=(5.5, 6.0, 0.2)),
    Held(Spectrum(2.0, 0.0, 9000, 3000), 0.003, 0.5, 0.9, 0.06, 0.8, breath=(0.05, 1, 6)),
    Held(Spectrum(0.6, 1.0, 6500, 2200, ((900, 700, 0.8), (2800, 1500, 1.0))), 0.004, 1.5, 0.7, 0.1, 0.7, unison=PAIR, level=-2),
    Held(Spectrum(0.9, 1, 4200, 2200, AH, 0.1), 0.03, 2, 0.9, 0.15, 0.9, vibrato=(5.3, 12, 0.4), unison=PAIR),
    Held(Spectrum(drawbars=((2, 1), (3, 0.9), (4, 0.5), (6, 0.45), (8, 0.25), (9, 0.3), (1, 0.75)), bright=7000, dark=2500), 0.004, 0.8, 0.8, 0.08, 0.7, unison=PAIR, level=-2),
    Held(Spectrum(0.95, 1.0, 6000, 900), 0.003, 0.6, 0.75, 0.07, 0.35, 0.3, unison=PAIR, level=-1),
)
PADS = (
    Held(Spectrum(drawbars=((1, 1), (2, 0.5), (3, 0.12), (4, 0.3), (8, 0.22), (12, 0.08)), bright=9000, dark=1500), 0.12, 1.2, 0.6, 0.7, 0.4, 0.7, unison=BROAD),
    Held(Spectrum(1.3, 1, 2400, 700), 0.3, 2, 0.9, 0.7, 0.8, unison=BROAD),
    Held(Spectrum(1.0, 1, 5200, 1200), 0.07, 1.5, 0.8, 0.5, 0.6, 0.8, unison=BROAD),
    Held(Spectrum(0.95, 1, 3400, 1800, AH, 0.08), 0.3, 2, 0.95, 0.7, 0.95, vibrato=(4.6, 8, 0.6), unison=BROAD, breath=(0.02, 1, 5)),
    Held(Spectrum(0.6, 0.3, 7000, 2200), 0.4, 2, 0.9, 0.7, 0.9, unison=WIDE),
    Held(Spectrum(0.5, 0.8, 8000, 1800, ((1800, 300, 2), (4100, 500, 2)), 0.3), 0.15, 1.5, 0.7, 0.8, 0.5, 1.0, unison=BROAD),
    Held(Spectrum(1.1, 1, 4000, 1200, OO, 0.15), 0.35, 2, 0.9, 0.9, 0.9, unison=BROAD, breath=(0.03, 1, 6)),
    Held(Spectrum(0.9, 1, 7000, 600), 0.5, 2, 0.95, 0.8, 0.05, 1.6, swell=True, unison=BROAD),
)
SHIMMER = Struck(Modulated(((1, 1, 0.9, 0.1, 0.8, 0.8, 4.0), (2, 3.5, 1.2, 0.05, 0.5, 0.3, 2.5), (4, 7.0, 0.5, 0.0, 0.2, 0.12, 1.2)), 4.0), 4.0, 0.9)
EFFECTS = (
    Struck(Modulated(((1, 2.76, 1.1, 0.0, 0.25, 0.8, 2.2), (3, 5.4, 0.8, 0.0, 0.12, 0.25, 0.9)), 5.0), 2.6, 0.5),
    replace(PADS[1], attack=0.45, spectrum=Spectrum(1.0, 1, 4200, 900), release=1.0),
    SHIMMER,
    Struck(Plucked(4.0, 0.55, 0.2, 0.3, body=(), twins=6.0), 4.0, 0.8),
    replace(PADS[0], attack=0.03, sustain=0.5),
    replace(PADS[6], vibrato=(3.1, 22, 0.1), attack=0.5),
    replace(PADS[2], tremolo=(5.0, 0.85), release=0.9),
    replace(PADS[5], vibrato=(6.4, 16, 0.3), tremolo=(3.2, 0.3)),
)
WORLD = (
    Struck(Plucked(5.0, 0.75, 0.10, 0.20, body=((180, 0.2),), twins=3.0, rattle=0.35), 4.5, 0.25),
    Struck(Plucked(1.5, 0.85, 0.12, 0.28, body=((250, 0.6), (420, 0.4))), 1.7, 0.08),
    Struck(Plucked(1.6, 0.8, 0.10, 0.30, body=((220, 0.8), (380, 0.4)), rattle=0.25), 1.8, 0.10),
    Struck(Plucked(3.4, 0.75, 0.08, 0.25, body=((150, 0.3), (330, 0.3))), 3.4, 0.5),
    Struck(Bars(((1, 1, 1.7), (5.4, 0.14, 0.3), (8.9, 0.05, 0.12), (2.02, 0.06, 0.6)), tap=0.10, tap_hertz=2500), 1.8, 0.0),
    Held(Spectrum(0.5, 0.9, 5200, 3600, ((950, 500, 1.5), (2800, 1000, 1.5)), 0.5), 0.03, 1, 1, 0.06, 1.0, unison=((-2.0, -0.1), (2.0, 0.1)), level=-2),
    bowed(6000, 2000, 11.0, attack=0.06),
    reed(6000, 3000, ((1300, 600, 2.2), (3100, 900, 1.4)), scoop=30.0, level=-1.0),
)
PERCUSSIVE = (
    Struck(Bars(((1, 1, 1.6), (2.32, 0.5, 1.0), (3.9, 0.3, 0.6), (5.8, 0.2, 0.3)), tap=0.05, tap_hertz=9000), 1.8, 0.0, -2.0),
    Struck(Bars(((1, 1, 0.55), (1.47, 0.6, 0.45), (2.91, 0.35, 0.25), (4.4, 0.2, 0.15)), tap=0.08, tap_hertz=5000), 0.8, 0.0, -1.0),
    Struck(Bars(((1, 1, 1.3), (2.0, 0.65, 0.9), (3.0, 0.35, 0.5), (4.01, 0.18, 0.3), (5.2, 0.12, 0.15)), tap=0.10, tap_hertz=2000, wide=2.0), 1.6, 0.2),
    Struck(Bars(((1, 1, 0.13), (2.6, 0.5, 0.07), (4.1, 0.25, 0.04)), tap=0.15, tap_hertz=3000, fall=0.2), 0.3, 0.0),
    Struck(Bars(((1, 1, 0.9), (1.59, 0.5, 0.5), (2.14, 0.35, 0.35), (2.65, 0.2, 0.25)), tap=0.5, tap_hertz=600, fall=0.2), 1.1, 0.0, 1.0),
    Struck(Bars(((1, 1, 0.6), (1.59, 0.3, 0.3), (2.14, 0.15, 0.2)), tap=0.3, tap_hertz=1500, fall=0.2), 0.8, 0.0, 1.0),
    Struck(Modulated(((1, 1, 2.2, 0.0, 0.05, 1.0, 0.6),), 0.0), 0.8, 0.0, 1.0),
    Effect("cymbal"),
)
SOUNDS = (Effect("fret"), Effect("breath"), Effect("sea"), Effect("bird"), Effect("telephone"), Effect("helicopter"), Effect("applause"), Effect("shot"))

PROGRAMS: tuple[Patch, ...] = (*PIANOS, *CHROMATIC, *ORGANS, *GUITARS, *BASSES, *STRINGS, *BRASS, *REEDS, *PIPES, *LEADS, *PADS, *EFFECTS, *WORLD, *PERCUSSIVE, *SOUNDS)
assert len(PROGRAMS) == 128
