"""Do the edits keep the numbers? Original and edited model run on the same inputs."""
