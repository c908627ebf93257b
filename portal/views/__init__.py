"""The pages: ``public`` for everybody, ``entry`` to come in and go out, ``own`` for the holder's own account."""
