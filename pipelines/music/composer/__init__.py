"""The composer: a small network of our own that writes up to four voices on the grid of sixteenths. `grid` its form, `sample` composes, `training/` made it."""
