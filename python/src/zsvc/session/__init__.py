"""What records mean to calls: state machines without I/O, threads or a clock.

`flow` is the credit of streams, `client` one connection of a client, `server` all clients of a server. Time is handed
in (`now`, in seconds of any clock that does not go back). What is to be sent is taken with `poll_message`, what has
happened with `poll_event`, and `next_timeout` says when to call `handle_timeout`.
"""
