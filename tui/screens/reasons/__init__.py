"""Why layers are where they are: each reason once, with the layers it holds for; or by placement, or by operator."""
