"""The rules of the slate, of lines and prices, of prediction rows and of their grading.

Code here turns forecasts and quotes into rows. How a forecast is computed belongs in `systems/`.
"""
