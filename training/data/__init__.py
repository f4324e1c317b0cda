"""Data that resumes exactly: layouts on disk, data modules over them, and random numbers that depend on the sample."""

from training.data.cache import Cache
from training.data.dataset import CacheableDataset, EpochDataset, OnBadSample
from training.data.layout import Layout, Sources, split_folder
from training.data.loader import ResumableLoader
from training.data.module import ResumableData, Split
from training.data.names import Names
from training.data.sampling import EpochBatchSampler, resume_position, run_seed, seed_of

__all__ = [
    "Cache",
    "CacheableDataset",
    "EpochBatchSampler",
    "EpochDataset",
    "Layout",
    "Names",
    "OnBadSample",
    "ResumableData",
    "ResumableLoader",
    "Sources",
    "Split",
    "resume_position",
    "run_seed",
    "seed_of",
    "split_folder",
]
