"""Recorded drives, and the report of a drive."""
