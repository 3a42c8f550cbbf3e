"""Where a client's calls go: connections, which of them takes a call, and whether it is made again."""
