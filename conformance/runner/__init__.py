"""Runs the conformance suite; `docs/conformance.md` describes it. Nothing here uses an implementation of zsvc."""
