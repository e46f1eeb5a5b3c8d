"""The judge of the budget proof."""
