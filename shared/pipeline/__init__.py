"""The one worker loop, topics, dead letters, the embedded broker."""
