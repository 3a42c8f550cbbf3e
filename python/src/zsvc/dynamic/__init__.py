"""Clients without generated code: types and methods are made of a schema, which a server tells.

`text` reads `.svc` files that a compiler has checked, `build` makes types and methods of them, `plain` turns values
into what JSON has and back, `client` is what users see.
"""
