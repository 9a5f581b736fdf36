"""USPS in a box: plausible package journeys, pushed as signed callbacks.

USPS offers no way to provoke events, so `make run`, tests and load tests need a stand-in. It
is deterministic by seed. What it invents (names, routes, delays) says nothing about USPS; the
shapes it sends are those of USPS's OpenAPI document "Subscriptions - Tracking" 3.2.2.
"""
