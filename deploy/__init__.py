"""Everything it takes to run the fleet somewhere."""
