"""Random exposures as the judge: what agents say of items that nobody chose."""
