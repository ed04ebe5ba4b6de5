"""Many streams in a few numbers: percentiles, outcomes, throughput, objectives, concurrency; by group."""
