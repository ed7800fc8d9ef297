"""TFLite files, built operator by operator."""
