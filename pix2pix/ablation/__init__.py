"""Ablations: one configuration under several changes, measured, drawn and told on one page."""
