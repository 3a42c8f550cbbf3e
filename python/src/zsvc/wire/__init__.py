"""Records and batches: what two sides say to each other, as bytes. `docs/protocol.md` defines them."""
