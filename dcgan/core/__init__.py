"""What every other package uses: files, seeding, checkpoints, signals, processes, pictures."""
