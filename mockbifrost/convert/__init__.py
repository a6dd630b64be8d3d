"""Other files into ours: cassettes into scenarios, cassettes into vcrpy's and back, fixtures of aimock into scenarios."""
