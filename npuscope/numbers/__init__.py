"""What models compute: running, sampling, calibrating, verifying."""
