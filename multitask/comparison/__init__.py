"""Weightings compared: the same run under several of them, a table and a figure."""
