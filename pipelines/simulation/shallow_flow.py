"""Shallow-water flow on a square grid: finite volumes of second order, well balanced over uneven ground (Audusse et al. 2004), turned and rubbed by splitting (Strang 1968).

q is (3, n + 4, n + 4): height of the column, momentum to the right and downwards, within two rings of outer cells.
"""

from __future__ import annotations

import numpy as np

from pipelines.simulation.jit import compiled

DRY = 1e-6  # m of water below which a cell doesn't move
COURANT = 0.5  # of the sum of both axes' speeds: depths stay positive


@compiled
def outer(q, ground, periodic):  # type: ignore[no-untyped-def]
    """Outer cells: those of the other side, or mirrored at a wall."""
    n = q.shape[1] - 4
    for ring in range(2):
        left, right = ring, n + 2 + ring
        low, high = (n + ring, 2 + ring) if periodic else (3 - ring, n + 1 - ring)
        for i in range(n + 4):
            for c in range(3):
                q[c, i, left] = q[c, i, low]
                q[c, i, right] = q[c, i, high]
            ground[i, left] = ground[i, low]
            ground[i, right] = ground[i, high]
            if not periodic:
                q[1, i, left] = -q[1, i, left]
                q[1, i, right] = -q[1, i, right]
        for i in range(n + 4):
            for c in range(3):
                q[c, left, i] = q[c, low, i]
                q[c, right, i] = q[c, high, i]
            ground[left, i] = ground[low, i]
            ground[right, i] = ground[high, i]
            if not periodic:
                q[2, left, i] = -q[2, left, i]
                q[2, right, i] = -q[2, right, i]


@compiled
def slope(a, b, c):  # type: ignore[no-untyped-def]
    """Half the difference across the middle cell, limited so that no new extreme appears (van Leer's monotonized central)."""
    left, right = b - a, c - b
    size = min(0.25 * abs(left + right), min(abs(left), abs(right)))
    return 0.0 if left * right <= 0.0 else (size if left > 0.0 else -size)


@compiled
def across(h, m, t, b, g, dx, dh, dm, dt_):  # type: ignore[no-untyped-def]
    """Adds to dh, dm, dt_ (n,) what flows through the faces of one line of cells: depth h, momentum m along and t across it, ground b.

    Second order with the hydrostatic reconstruction of Audusse et al. 2004, so that a lake at rest stays at rest; HLL fluxes.
    """
    u0, v0 = (m[0] / h[0], t[0] / h[0]) if h[0] > DRY else (0.0, 0.0)
    u1, v1 = (m[1] / h[1], t[1] / h[1]) if h[1] > DRY else (0.0, 0.0)
    a0, g0, ul, vl = 0.0, 0.0, 0.0, 0.0  # depth, ground and speeds at the right rim of the cell before
    for i in range(1, h.shape[0] - 1):
        u2, v2 = (m[i + 1] / h[i + 1], t[i + 1] / h[i + 1]) if h[i + 1] > DRY else (0.0, 0.0)
        sh, su, sv = slope(h[i - 1], h[i], h[i + 1]), slope(u0, u1, u2), slope(v0, v1, v2)
        rise = slope(h[i - 1] + b[i - 1], h[i] + b[i], h[i + 1] + b[i + 1]) - sh
        if i > 1:
            z0, g1, ur, vr = h[i] - sh, b[i] - rise, u1 - su, v1 - sv
            top = max(g0, g1)
            a, z = max(0.0, a0 + g0 - top), max(0.0, z0 + g1 - top)
            ca, cz = (g * a) ** 0.5, (g * z) ** 0.5
            slow = min(0.0, min(ul - ca, ur - cz) if a > DRY else ur - 2.0 * cz)
            quick = max(0.0, max(ul + ca, ur + cz) if z > DRY else ul + 2.0 * ca)
            share = 1.0 / (dx * max(quick - slow, 1e-12))
            f0 = (quick * a * ul - slow * z * ur + quick * slow * (z - a)) * share
            f1 = (quick * (a * ul * ul + 0.5 * g * a * a) - slow * (z * ur * ur + 0.5 * g * z * z) + quick * slow * (z * ur - a * ul)) * share
            f2 = f0 * (vl if f0 > 0 else vr)
            # Besides the flux, the pull of the ground within either cell, half of it at this face
            dh[i - 1] -= f0
            dh[i] += f0
            dt_[i - 1] -= f2
            dt_[i] += f2
            dm[i - 1] -= f1 + 0.5 * g * (a0 * a0 - a * a) / dx + g * h[i - 1] * (g0 - b[i - 1]) / dx
            dm[i] += f1 + 0.5 * g * (z0 * z0 - z * z) / dx - g * h[i] * (b[i] - g1) / dx
        a0, g0, ul, vl = h[i] + sh, b[i] + rise, u1 + su, v1 + sv
        u0, u1, v0, v1 = u1, u2, v1, v2


@compiled
def tendency(q, ground, g, dx, out):  # type: ignore[no-untyped-def]
    """dq/dt of all inner cells into out."""
    n = q.shape[1] - 4
    out[:] = 0.0
    for i in range(2, n + 2):
        across(q[0, i], q[1, i], q[2, i], ground[i], g, dx, out[0, i], out[1, i], out[2, i])
        across(q[0, :, i], q[2, :, i], q[1, :, i], ground[:, i], g, dx, out[0, :, i], out[2, :, i], out[1, :, i])


@compiled
def quickest(q, g):  # type: ignore[no-untyped-def]
    """The largest sum of wave speeds along the two axes."""
    n, found = q.shape[1] - 4, 1e-12
    for i in range(2, n + 2):
        for j in range(2, n + 2):
            h = q[0, i, j]
            if h > DRY:
                found = max(found, abs(q[1, i, j]) / h + abs(q[2, i, j]) / h + 2.0 * (g * h) ** 0.5)
    return found


@compiled
def turn_and_rub(q, f, manning, g, dt):  # type: ignore[no-untyped-def]
    """The turning ground turns every flow by an exact angle; friction slows it."""
    n, c, s = q.shape[1] - 4, np.cos(f * dt), np.sin(f * dt)
    for i in range(2, n + 2):
        for j in range(2, n + 2):
            h, mx, my = q[0, i, j], q[1, i, j], q[2, i, j]
            if h <= DRY:
                q[1, i, j], q[2, i, j] = 0.0, 0.0
                continue
            rub = 1.0 / (1.0 + dt * g * manning * manning * (mx * mx + my * my) ** 0.5 / h ** (7.0 / 3.0)) if manning > 0 else 1.0
            # rows run downwards, so "to the right of the motion" is +y for motion along +x
            q[1, i, j], q[2, i, j] = rub * (c * mx - s * my), rub * (c * my + s * mx)


@compiled
def flow_on(q, ground, g, f, manning, dx, dt, steps, periodic, courant):  # type: ignore[no-untyped-def]
    """`steps` steps of dt each, in as many parts as the quickest wave asks for; Heun's method, turning split around it."""
    now, later, rate = np.empty_like(q), np.empty_like(q), np.empty_like(q)
    n = q.shape[1] - 4
    for _step in range(steps):
        left = dt
        while left > 1e-12 * dt:
            most = courant * dx / quickest(q, g)
            part = left / max(1.0, np.ceil(left / most))
            turn_and_rub(q, f, manning, g, 0.5 * part)
            now[:] = q
            outer(now, ground, periodic)
            tendency(now, ground, g, dx, rate)
            later[:] = now + part * rate
            outer(later, ground, periodic)
            tendency(later, ground, g, dx, rate)
            for i in range(2, n + 2):
                for j in range(2, n + 2):
                    for k in range(3):
                        q[k, i, j] = 0.5 * (now[k, i, j] + later[k, i, j] + part * rate[k, i, j])
            turn_and_rub(q, f, manning, g, 0.5 * part)
            left -= part
