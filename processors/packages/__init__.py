"""Packages: from tracking updates to new scan events and the state of each piece.

Pure in all but `store`, `restore` and `stage`. Records are dicts as in JSON here, because
this path is hot; the tests hold them against the models of `schemas`.
"""
