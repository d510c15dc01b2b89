"""Pictures for the documents: `VIIPE_SCREENS=docs/screens` has the tests that show a page keep what they see; and a face of nobody."""

import base64
import os
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

SETTLED_MS: Final = 150
FOLDER: Final = os.environ.get("VIIPE_SCREENS")
DRAWN: Final = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = 300; canvas.height = 375;
  const pen = canvas.getContext("2d");
  const blob = (colour, x, y, wide, high) => {
    pen.fillStyle = colour; pen.beginPath(); pen.ellipse(x, y, wide, high, 0, 0, 7); pen.fill();
  };
  pen.fillStyle = "#cfe0ea"; pen.fillRect(0, 0, 300, 375);
  blob("#7a4b2a", 150, 150, 92, 92); blob("#f0c9a4", 150, 165, 70, 88); blob("#2d6a8a", 150, 370, 130, 105);
  blob("#333", 122, 160, 7, 7); blob("#333", 178, 160, 7, 7); blob("#a0523d", 150, 205, 24, 7);
  return canvas.toDataURL("image/jpeg", 0.8).split(",")[1];
}"""


def drawn(browser: Browser) -> bytes:
    """Draw somebody who does not exist (JPEG)."""
    page = browser.new_page()
    told: str = page.evaluate(DRAWN)
    page.close()
    return base64.b64decode(told)


def picture(page: Page, name: str) -> None:
    """Keep a picture for the documents, if asked."""
    if FOLDER:
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=Path(FOLDER) / f"{name}.png")
