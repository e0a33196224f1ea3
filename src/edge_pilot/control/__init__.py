"""Steering and speed along a path."""
