"""ConceptNet's read API over any graph of this software, as `kg serve` answers it: JSON-LD, and no token."""
