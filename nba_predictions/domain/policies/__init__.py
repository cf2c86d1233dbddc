"""Decisions with thresholds: input gates, drift, promotion of models, and alerts.

Code here takes numbers and returns a decision with its reason. Collecting the numbers belongs in
`nightly/` and `orchestration/`.
"""
