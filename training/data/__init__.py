"""Data that resumes exactly: layouts on disk, data modules over them, and random numbers that depend on the sample."""

from training.data.dataset import EpochDataset, OnBadSample
from training.data.layout import Layout, split_folder
from training.data.loader import ResumableLoader
from training.data.module import ResumableData, Split
from training.data.sampling import EpochBatchSampler, resume_position, run_seed, seed_of

__all__ = [
    "EpochBatchSampler",
    "EpochDataset",
    "Layout",
    "OnBadSample",
    "ResumableData",
    "ResumableLoader",
    "Split",
    "resume_position",
    "run_seed",
    "seed_of",
    "split_folder",
]
