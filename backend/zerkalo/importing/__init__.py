"""Moving in: an existing app's people, links, codes and points come to the mirror's own rows (contract, section 10).

A use case that joins several subjects; it writes their tables through their stores.
"""
