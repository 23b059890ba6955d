"""Pages opened in a browser, all that they asked for and said, and what every page must be."""

import os
import shutil

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AA_TEXT = 4.5
SCROLLING = ".scroll, .toc ul, pre, .unseen, .skip"
"""What may be wider than the screen, since it scrolls by itself or is not seen."""
BEYOND = """but => [...document.querySelectorAll('body *')]
  .filter(element => !element.closest(but))
  .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
  .map(element => element.outerHTML.slice(0, 120))"""
CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = css => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = (top, below) => top.slice(0, 3).map((part, i) => part * top[3] + below[i] * (1 - top[3]));
  const light = rgb => { const [r, g, b] = rgb.map(part => { part /= 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ['TITLE', 'DESC', 'title', 'desc'].includes(element.tagName)) continue;
    const style = getComputedStyle(element), below = behind(element);
    const color = element.ownerSVGElement ? style.fill : style.color;
    const [a, b] = [light(over(rgba(color), below)), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([ratio, element.outerHTML.slice(0, 100)]);
  }
  return found;
}"""


class WatchedPages:
    """Opens pages, each in a context of its own; what they request and print is kept."""

    def __init__(self, browser):
        self._browser, self._contexts = browser, []
        self.requests, self.said = [], []

    def open(self, url, *, width, scheme):
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))
        page.goto(url)
        return page

    def close(self):
        for context in self._contexts:
            context.close()


def chromium():
    """The browser's program; without one the test is skipped, where nobody insists on it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        why = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") or os.environ.get("COMPRESS_REQUIRE_BROWSER"):
            pytest.fail(f"{why}, and CI or COMPRESS_REQUIRE_BROWSER asks for this test")
        pytest.skip(why)
    return found


def unfolded(page):
    """The page with everything that can be opened open."""
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    return page


def too_wide(page, *, width, but=SCROLLING):
    """What reaches beyond a screen of that width."""
    wide = unfolded(page).evaluate("document.documentElement.scrollWidth")
    return [*([f"the page is {wide} wide"] if wide > width else []), *page.evaluate(BEYOND, but)]


def faint(page):
    """Ratio and markup of text whose contrast is below the AA level of WCAG 2.2."""
    return [one for one in unfolded(page).evaluate(CONTRASTS) if one[0] < AA_TEXT]
