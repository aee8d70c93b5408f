"""What proves Chappe: see docs/architecture.md for what each folder holds."""
