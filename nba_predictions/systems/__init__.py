"""The prediction systems, in one module each, and the registry that lists them.

A system turns features, and sometimes trained models, into forecasts. Fitting the models belongs in
`training/`.
"""
