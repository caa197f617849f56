"""Readers of raw data files."""
