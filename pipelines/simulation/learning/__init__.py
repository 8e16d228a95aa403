"""Learning from data: a table's columns set a simulation's parameters, initial values and states."""
