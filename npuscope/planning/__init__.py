"""Which edits are worth making: proposals, trials, plans."""
