"""Another version of ST Edge AI Core, or another clock: what would each say of this model?"""
