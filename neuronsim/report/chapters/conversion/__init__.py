"""Chapter of paper 003: converted networks at few time steps."""
