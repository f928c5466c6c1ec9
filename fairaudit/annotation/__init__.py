"""People label a run's pictures: which ones, on what page, and where their answers lie."""
