"""Harbor: its API of projects, repositories and artifacts, and its Registry V2."""
