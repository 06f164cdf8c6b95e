"""What everything rests on: files, seeding, checkpoints, signals, processes, pictures."""
