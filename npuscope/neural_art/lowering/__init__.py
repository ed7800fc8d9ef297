"""From layers to the operators of the compiler's lowered graph."""
