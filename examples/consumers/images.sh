#!/bin/sh
# The references of images as they are discovered, one on a line: feed them to a scanner.
exec "${TALLYMAN:-tallyman}" events --follow --from-beginning --type image.discovered --format jsonl |
    sed -un 's/.*"reference": "\([^"]*\)".*/\1/p'
