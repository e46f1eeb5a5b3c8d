"""No server: `auto` recognises those of the other rows."""
