"""What users give to run models on: images, data readers and metrics of their own."""
