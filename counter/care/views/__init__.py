"""The pages of this area: ``disputes``, ``opening`` a dispute for a holder, ``found`` cards and searches."""
