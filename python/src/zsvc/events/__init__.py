"""Events: publishers and subscriptions. `docs/events.md` says what is promised, `docs/protocol.md` what is sent."""
