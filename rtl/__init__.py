"""Amaranth components, one file per PE family."""
