"""Machine: the compiled loops that run typed models. Expressions come as rows of operations on registers, see program.py.

What is no number (a division by zero, a root of less than nothing) is NaN, and stays NaN through comparisons and choices; `and`
and `or` ask their right side only where the left one leaves it open. All in one file: machine code is kept by file.
Sources: G. Maruyama, Rend. Circ. Mat. Palermo 4 (1955) 48–90; derivative-free Milstein scheme: Kloeden & Platen, Numerical solution of SDEs (1992), ch. 11.1.
"""

from __future__ import annotations

import numpy as np

from pipelines.simulation.jit import compiled

ADD, SUB, MUL, DIV, MOD, POW, NEG, NOT, AND, OR, LT, LE, GT, GE, EQ, NE, IF = range(17)
SIN, COS, TAN, ASIN, ACOS, ATAN, TANH, EXP, LOG, LOG10, SQRT, ABS, FLOOR, CEIL, ROUND, SIGN, STEP, MIN, MAX = range(17, 36)
NORMAL, UNIFORM = range(2)
ROUNDED = 1e-9  # that probabilities may be more than 1 together


@compiled
def run(code, r):  # type: ignore[no-untyped-def]
    """Each row of code (operations, 5): which, where to, and from where, in registers r. Divisions are guarded: they would raise here, and warn in numpy."""
    for i in range(code.shape[0]):
        op, a, b = code[i, 0], r[code[i, 2]], r[code[i, 3]]
        x = np.nan
        if op == ADD:
            x = a + b
        elif op == SUB:
            x = a - b
        elif op == MUL:
            x = a * b
        elif op == DIV:
            if b != 0.0:
                x = a / b
        elif op == MOD:
            if b != 0.0:
                x = a - b * np.floor(a / b)
        elif op == POW:
            if not (a == 0.0 and b < 0.0) and not (a < 0.0 and b != np.floor(b)):
                x = a * a if b == 2.0 else a**b
        elif op == NEG:
            x = -a
        elif op == NOT:
            if a == a:
                x = 1.0 if a == 0.0 else 0.0
        elif op in (AND, OR):
            if a == a and (a != 0.0) == (op == OR):  # the left one says all
                x = 1.0 if op == OR else 0.0
            elif a == a and b == b:
                x = 1.0 if b != 0.0 else 0.0
        elif op <= NE:
            if a == a and b == b:
                if op == LT:
                    x = 1.0 if a < b else 0.0
                elif op == LE:
                    x = 1.0 if a <= b else 0.0
                elif op == GT:
                    x = 1.0 if a > b else 0.0
                elif op == GE:
                    x = 1.0 if a >= b else 0.0
                elif op == EQ:
                    x = 1.0 if a == b else 0.0
                else:
                    x = 1.0 if a != b else 0.0
        elif op == IF:
            if a == a:
                x = b if a != 0.0 else r[code[i, 4]]
        elif op == SIN:
            x = np.sin(a)
        elif op == COS:
            x = np.cos(a)
        elif op == TAN:
            x = np.tan(a)
        elif op == ASIN:
            if abs(a) <= 1.0:
                x = np.arcsin(a)
        elif op == ACOS:
            if abs(a) <= 1.0:
                x = np.arccos(a)
        elif op == ATAN:
            x = np.arctan(a)
        elif op == TANH:
            x = np.tanh(a)
        elif op == EXP:
            x = np.exp(a)
        elif op == LOG:
            if a > 0.0:
                x = np.log(a)
        elif op == LOG10:
            if a > 0.0:
                x = np.log10(a)
        elif op == SQRT:
            if a >= 0.0:
                x = np.sqrt(a)
        elif op == ABS:
            x = abs(a)
        elif op == FLOOR:
            x = np.floor(a)
        elif op == CEIL:
            x = np.ceil(a)
        elif op == ROUND:
            x = np.floor(a + 0.5)
        elif op == SIGN:
            x = np.sign(a)
        elif op == STEP:
            if a == a:
                x = 1.0 if a >= 0.0 else 0.0
        elif op == MIN:
            if a == a and b == b:
                x = a if a < b else b
        elif op == MAX and a == a and b == b:
            x = a if a > b else b
        r[code[i, 1]] = x


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    """For a Runge-Kutta loop: register 0 is the time, the next ones are the states; `a` is (code, registers, where the results are)."""
    code, r, outputs = a
    r[0] = time
    for i in range(y.shape[0]):
        r[1 + i] = y[i]
    run(code, r)
    for i in range(outputs.shape[0]):
        out[i] = r[outputs[i]]


@compiled
def iterate(time, y, a, draws, steps, rng):  # type: ignore[no-untyped-def]
    """A map, `steps` times on from y (n,), in place; draws (count, 2) are registers that get chance, and its kind. How many steps went well: y stays finite."""
    code, r, outputs = a
    for step in range(steps):
        r[0] = time + step
        for i in range(y.shape[0]):
            r[1 + i] = y[i]
        for i in range(draws.shape[0]):
            r[draws[i, 0]] = rng.standard_normal() if draws[i, 1] == NORMAL else rng.random()
        run(code, r)
        for i in range(outputs.shape[0]):
            if not np.isfinite(r[outputs[i]]):
                return step
        for i in range(outputs.shape[0]):
            y[i] = r[outputs[i]]
    return steps


@compiled
def drift_on(time, y, a, terms, sources, dt, milstein, steps, rng):  # type: ignore[no-untyped-def]
    """Stochastic equations, `steps` steps on from y (n,), in place; how many went well.

    The first n results are drifts, the next ones what stands before a dW; terms (count, 2) say of which equation and which Wiener process.
    """
    code, r, outputs = a
    n, root = y.shape[0], np.sqrt(dt)
    new, at, dw, b = np.empty(n), np.empty(n), np.empty(sources), np.empty(terms.shape[0])
    for step in range(steps):
        r[0] = time + step * dt
        for i in range(n):
            r[1 + i] = y[i]
        run(code, r)
        for k in range(sources):
            dw[k] = root * rng.standard_normal()
        for i in range(n):
            new[i] = y[i] + r[outputs[i]] * dt
            at[i] = new[i]
        for j in range(terms.shape[0]):
            b[j] = r[outputs[n + j]]
            new[terms[j, 0]] += b[j] * dw[terms[j, 1]]
            at[terms[j, 0]] += b[j] * root
        if milstein:
            for i in range(n):
                r[1 + i] = at[i]
            run(code, r)
            for j in range(terms.shape[0]):
                new[terms[j, 0]] += (r[outputs[n + j]] - b[j]) * (dw[terms[j, 1]] ** 2 - dt) / (2.0 * root)
        for i in range(n):
            if not np.isfinite(new[i]):
                return step
        for i in range(n):
            y[i] = new[i]
    return steps


@compiled
def react(time, counts, a, moves, dt, steps, rng):  # type: ignore[no-untyped-def]
    """Agents that all meet, `steps` steps on: counts (states,) in place; how many steps went well, or -1 - step where a chance is none.

    moves (count, 3): from, to, and whether the result is a rate (1) or a probability a step (0). Probabilities are taken as they are; of those
    that stay, the exact share that rates make leave within the step goes by the share of each rate.
    """
    code, r, outputs = a
    chances, leaving, staying, before = np.empty(moves.shape[0]), np.empty(counts.shape[0]), np.empty(counts.shape[0]), np.empty(counts.shape[0])
    for step in range(steps):
        r[0] = time + step * dt
        for i in range(counts.shape[0]):
            r[1 + i] = counts[i]
            leaving[i], staying[i], before[i] = 0.0, 1.0, 0.0
        run(code, r)
        for j in range(moves.shape[0]):
            x = r[outputs[j]]
            if not np.isfinite(x):
                return step
            if x < 0.0 or (moves[j, 2] == 0 and x > 1.0):
                return -1 - step
            if moves[j, 2] == 1:
                chances[j] = x * dt
                leaving[moves[j, 0]] += x * dt
            else:
                chances[j] = x
                staying[moves[j, 0]] -= x
                if staying[moves[j, 0]] < -ROUNDED:
                    return -1 - step
        left = counts.copy()
        for j in range(moves.shape[0]):
            source = moves[j, 0]
            chance = chances[j]
            if moves[j, 2] == 1 and chance > 0.0:
                chance = max(staying[source], 0.0) * (1.0 - np.exp(-leaving[source])) * chance / leaving[source]
            if chance > 0.0 and left[source] > 0.0:
                # those not yet gone go this way with the chance of this way among the ways that remain
                went = rng.binomial(int(left[source]), min(1.0, chance / max(1.0 - before[source], 1e-300)))
                left[source] -= went
                counts[source] -= went
                counts[moves[j, 1]] += went
            before[source] += chance
    return steps
