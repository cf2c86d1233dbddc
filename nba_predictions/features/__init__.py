"""Features: the facts known about a player before a game, as one row of numbers.

Nightly runs, training and the backtest compute features with this code only. It reads frames that
end before the game date, and it does not read files or know models.
"""
