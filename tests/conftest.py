"""What all tests share: Hypothesis without deadlines, since two cores are often busy, and with what it needs to repeat a failure."""

import hypothesis

hypothesis.settings.register_profile("viipe", deadline=None, print_blob=True)
hypothesis.settings.load_profile("viipe")
