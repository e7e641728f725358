"""Three companies that are not ours, as real HTTP servers: what they did is on disk before anybody hears of it."""
