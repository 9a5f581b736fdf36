"""USPS's APIs as the simulator speaks them: OAuth 3, Subscriptions and Tracking v3r2.

`usps.yaml` says what is spoken. Where USPS's documents are silent, what integrators met is
either the rule here or an oddity that can be switched on; nothing was tried against USPS.
"""
