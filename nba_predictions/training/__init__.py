"""How models are trained, scored, stored and promoted.

Code here fits models to past games. How a fitted model predicts belongs in `systems/`.
"""
