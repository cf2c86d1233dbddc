"""The port for destinations of alerts, its adapter, and the record of what was delivered.

Code here sends alerts and remembers them. It does not find out what is wrong: the conditions are in
`orchestration/conditions/`, the rules in `domain/policies/`.
"""
