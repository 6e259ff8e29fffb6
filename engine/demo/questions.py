"""What the demo asks."""

# The built-in encoder compares words and their parts: the more a question shares with a text, the better.
QUESTIONS = (
    "split a string using shell syntax",
    "wake up threads that wait on a condition",
    "pop the smallest item from a heap",
    "escape special characters in a regular expression",
)
# The answer meant is that of the first question, in other words: where comparing words ends.
REWORDED = "cut a command line into words as bash would"
