"""Threads and sockets: the only modules that know pyzmq."""
