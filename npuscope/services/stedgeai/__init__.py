"""ST's compiler in the day's work: its options for a model, the files it reads, and a run of it."""
