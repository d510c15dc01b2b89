"""Takes the pictures of the worker's shift that the documents show: `python -m tests.rig.shift_screens`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from outputs.screen.words import words
from tests.rig.shift_school import PIN, POOL, ShiftSchool
from tests.rig.till_screen import chromium

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screens"
SCREEN: Final[Mapping[str, Any]] = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final[Mapping[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SETTLED_MS: Final = 500


class Shots:
    """One browser in one language, and the pictures that it takes: shift-NAME-LANGUAGE[-phone].png."""

    def __init__(self, browser: Browser, school: ShiftSchool, language: str, *, is_phone: bool) -> None:
        """Open the keypad."""
        self._words = words(language)
        self._suffix = f"{language}{'-phone' if is_phone else ''}"
        self._context = browser.new_context(base_url=school.screen.url, **(PHONE if is_phone else SCREEN))
        self._context.add_cookies([{"name": "language", "value": language, "url": school.screen.url}])
        self.page: Page = self._context.new_page()
        self.page.goto("/shift")
        self.page.wait_for_selector(".keys")

    def take(self, name: str) -> None:
        """Take a picture once the page stands still."""
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(SETTLED_MS)
        self.page.screenshot(path=FOLDER / f"shift-{name}-{self._suffix}.png")

    def press(self, word: str, **values: object) -> None:
        """Press the button with a word of ours, or of its own."""
        name = self._words.get(f"shift.{word}", word).format(**values)
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def open(self) -> None:
        """Enter the PIN."""
        for digit in PIN:
            self.press(digit)
        self.press("pin_open")
        self.page.wait_for_selector("#classes button")

    def choose(self, class_name: str, pupil: str) -> None:
        """Open a class and a pupil's sheet."""
        self.page.locator(f'#classes button[data-class="{class_name}"]').click()
        self.page.locator(".pupils button").filter(has_text=pupil).click()
        self.page.wait_for_selector("#sheet[open]")

    def close(self) -> None:
        """Close the browser's window."""
        self._context.close()


def whole_shift(shots: Shots, school: ShiftSchool) -> None:
    """Go through everything that a shift may bring."""
    shots.take("pin")
    shots.open()
    school.tap()
    school.tap(POOL)
    shots.page.wait_for_selector(".asks")
    shots.take("home")
    shots.choose("7A", "Hugo Kask")
    shots.take("pupil")
    shots.press("serve")
    shots.page.wait_for_selector("#said.done")
    shots.take("served")
    shots.page.locator(".pupils button").filter(has_text="Mari Maasikas").click()
    shots.press("serve_again")
    shots.page.wait_for_selector("#sheet .refused")
    shots.take("refused")
    shots.press("anyway")
    shots.take("reasons")
    shots.press("cancel")
    shots.press("mark_class")
    for name in ("Nora Žukova", "Uku Väli"):
        shots.page.locator(".pupils button").filter(has_text=name).click()
    shots.take("class")
    shots.page.locator(".go button").click()
    shots.page.wait_for_selector("#said.done")
    shots.press("back")
    shots.press("asking_pick")
    shots.take("asked")
    shots.press("paper")
    shots.page.locator('button[data-class="5A"]').click()
    for name in ("Artjom Ivanov", "Eliise Šmidt", "Hugo Kask"):
        shots.page.locator(".pupils button").filter(has_text=name).click()
    shots.take("paper")


def phone_shift(shots: Shots, school: ShiftSchool) -> None:
    """Show the few pictures of a phone."""
    shots.open()
    school.tap(POOL)
    shots.page.wait_for_selector(".asks")
    shots.take("home")
    shots.choose("7B", "Jaan Järv")
    shots.take("pupil")


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for language, walk, is_phone in (
            *(("et", whole_shift, False), ("et", phone_shift, True)),
            *(("en", phone_shift, False), ("ru", phone_shift, False), ("ru", phone_shift, True)),
        ):
            with tempfile.TemporaryDirectory() as folder, ShiftSchool(Path(folder)) as school:
                shots = Shots(browser, school, language, is_phone=is_phone)
                walk(shots, school)
                shots.close()


if __name__ == "__main__":
    main()
