"""What each command does; the command line in `tallyman.cli` only reads its options."""
