"""What comparisons of runs share: runs in processes of their own, their order, and tables of what they found."""
