"""What watches calls and backward steps, on the public hooks alone: guard mode and its like."""
