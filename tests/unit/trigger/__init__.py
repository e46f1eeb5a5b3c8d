"""The trigger's pure parts."""
