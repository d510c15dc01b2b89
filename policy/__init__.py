"""What a tap means: the nouns, the rules, the calendar, the decision and its reasons. Pure; imports nothing of ours."""
