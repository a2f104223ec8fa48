"""Hand the recipe to TRL's `GRPOTrainer` and record what comes back."""
