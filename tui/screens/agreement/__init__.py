"""What ST's tools made of the model, from the files they wrote, beside what npuscope predicts."""
