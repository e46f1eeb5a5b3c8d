"""What the tests stand on: real servers, generated content, checks of what is installed."""
