"""Bad inputs, made by a script, each with what is expected of it: `python -m corpus FOLDER` writes them."""
