"""Values and bytes: what generated types are on the wire.

`reader` and `writer` hold the bytes, `scalars`, `containers`, `structs` and `unions` the forms of types, `dynamic` that
of `value`. Nothing here knows of calls or sockets.
"""
