"""Load on a running stack: people who walk the journeys, each request the root of its trace."""
