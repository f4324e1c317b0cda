"""Data of the multi-task trainings: ``rooms.parquet``, rendered rooms, with the licences of what is seen in them."""
