"""What needs torch: imported inside functions only."""
