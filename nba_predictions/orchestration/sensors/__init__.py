"""The sensors: publication, stalled batches, retries of blocked and failed nights, and alerts.

A sensor finds what is due and requests runs or sends alerts. The steps of a run belong in
`nightly/`.
"""
