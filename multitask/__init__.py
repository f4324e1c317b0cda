"""Multi-task learning: one encoder, several dense tasks, their losses balanced by learned weights."""
