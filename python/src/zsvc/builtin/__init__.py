"""The services that every server has by itself: what it serves, whether it is fit, and what it has done.

They are described in `runtime/svc`, generated from there, and added where a server is made.
"""
