"""From lowered steps to epochs, and what each epoch moves, keeps and takes."""
