"""ST Neural-ART: how its compiler places, lowers, tiles and schedules a model."""
