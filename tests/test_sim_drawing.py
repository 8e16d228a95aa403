"""Lines drawn all at once are those that one would draw one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.simulation.drawing import GROUND, INK, disc, ramp, strokes, way
from pipelines.simulation.models.lorenz63 import Lorenz63
from studio.api import chance

WHITE = np.full(3, 255, dtype=np.uint8)


def stroked(points: list[tuple[float, float]], width: int = 40, height: int = 30) -> np.ndarray:
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    strokes(picture, np.array(points, dtype=np.float64), np.full((len(points) - 1, 3), 255, dtype=np.uint8))
    return picture[..., 0] > 0


@pytest.mark.parametrize("end", [(33, 4), (4, 27), (5, 5), (38, 29), (20, 5)])
def test_a_line_is_within_half_a_pixel_of_the_true_one_and_has_no_gaps(end: tuple[int, int]) -> None:
    drawn = stroked([(5.0, 5.0), end])
    rows, columns = np.nonzero(drawn)
    dx, dy = end[0] - 5, end[1] - 5
    assert len(rows) == max(abs(dx), abs(dy)) + 1
    assert np.abs((columns - 5) * dy - (rows - 5) * dx).max() <= 0.5 * max(abs(dx), abs(dy), 1) + 1e-9
    assert drawn[5, 5] and drawn[end[1], end[0]]


def test_what_is_outside_is_cut_where_the_line_leaves() -> None:
    assert stroked([(-1e6, 12.0), (1e6, 12.0)])[12].all()
    steep = stroked([(-10.0, -10.0), (100.0, 100.0)])
    assert np.array_equal(np.nonzero(steep)[0], np.nonzero(steep)[1]) and steep.sum() == 30
    assert not stroked([(-5.0, 3.0), (-5.0, 20.0)]).any()
    assert not stroked([(-30.0, 20.0), (20.0, -30.0)]).any()


def test_places_that_are_no_numbers_break_the_way_and_nothing_else() -> None:
    drawn = stroked([(1, 1), (10, 1), (np.nan, 1), (20, 1), (30, 1), (np.inf, 1)])
    assert np.flatnonzero(drawn[1]).tolist() == [*range(1, 11), *range(20, 31)]


def test_later_lines_lie_above_earlier_ones() -> None:
    picture = np.zeros((9, 9, 3), dtype=np.uint8)
    strokes(picture, np.array([(0.0, 4.0), (8.0, 4.0), (4.0, 0.0), (4.0, 8.0)]), np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3]], dtype=np.uint8))
    assert picture[4, 4, 0] == 3 and picture[4, 1, 0] == 1


def test_a_disc_is_cut_at_the_edge() -> None:
    picture = np.zeros((20, 20, 3), dtype=np.uint8)
    for x, y in ((0, 0), (19.4, 10), (-50, 3), (3, 400), (np.nan, 1)):
        disc(picture, x, y, 3, (255, 255, 255))
    there = picture[..., 0] > 0
    assert there[0, 3] and not there[0, 4] and there[10, 19] and there.sum() < 40


def test_a_way_grows_brighter_and_ends_in_a_point() -> None:
    picture = way(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), (0, 1, 0, 1), 100, 80)
    assert picture.shape == (80, 100, 3) and tuple(picture[10, 90]) == INK and tuple(picture[40, 40]) == GROUND
    assert tuple(picture[70, 50]) == tuple(ramp("heat")[60 + 170 // 3]) and tuple(picture[40, 90]) == tuple(ramp("heat")[60 + 340 // 3])
    assert tuple(way(np.empty((0, 2)), (0, 1, 0, 1))[5, 5]) == GROUND


def test_a_model_that_left_the_box_is_still_drawn() -> None:
    model = Lorenz63()
    params = model.Params(rho=340.0)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 2000)
    assert (model.render(state, params) != np.array(GROUND, dtype=np.uint8)).any()
