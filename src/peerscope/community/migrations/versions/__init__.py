"""Versions of the community's tables."""
