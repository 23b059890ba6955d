"""Models on disk and in memory: loading, heads, layers; knows no data and no training."""
