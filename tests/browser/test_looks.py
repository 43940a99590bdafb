"""What pages look like, on a desk and on a phone, light and dark: nothing is cut off, and all words can be read."""

import os
from pathlib import Path

import pytest

from tests.browser.dashboard_house import OPERATOR, OPERATORS_PASSWORD, DashboardHouse
from tests.browser.driver import DESK, PHONE, Browser

PAGES = {
    "sign-in": "/sign-in",
    "applications": "/applications",
    "application": "/applications/{acme}",
    "account": "/accounts/{ann}",
    "failing": "/accounts/{failing}",
    "asked": "/accounts/{eve}",
    "waiting": "/accounts/{vera}",
    "moving": "/applications/{dunes}",
    "lists": "/lists",
    "diagnoses": "/diagnoses",
    "nothing": "/nothing",
}

CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}
function over(top, below) { const a = top[3] / 255; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)); }
function ground(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
}
function light(rgb) {
  const [r, g, b] = rgb.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const faint = [];
for (const element of document.querySelectorAll('body *')) {
  const said = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!said || !element.checkVisibility() || element.closest('svg')) continue;
  const below = ground(element), above = over(rgba(getComputedStyle(element).color), below);
  const [a, b] = [light(above), light(below)].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(element.textContent.trim().slice(0, 40));
}
return faint;
"""
"""Words whose contrast is below 4.5 (WCAG 2.2, 1.4.3)."""


OUTSIDE = """
return [...document.querySelectorAll('.card *')].filter(e => !e.closest('svg, .unseen') && e.checkVisibility())
  .filter(e => e.getBoundingClientRect().right > e.closest('.card').getBoundingClientRect().right + 0.5)
  .map(e => e.textContent.trim().slice(0, 40));
"""
"""What reaches out of its card."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_it_fits_and_can_be_read(
    house: DashboardHouse, browser: Browser, name: str, size: tuple[int, int], scheme: str
) -> None:
    browser.sign_in(f"{house.url}/lists", OPERATOR, OPERATORS_PASSWORD)
    browser.in_scheme(scheme)
    browser.as_wide_as(size)
    browser.open(house.url + house.path(PAGES[name]))
    browser.script("for (const details of document.querySelectorAll('details')) details.open = true")
    if folder := os.environ.get("MOORING_SCREENSHOTS"):
        Path(folder, f"{name}-{scheme}-{size[0]}.png").write_bytes(browser.picture(height=size[1] * 2))
    assert browser.script("return document.documentElement.scrollWidth") <= size[0]
    assert browser.script(OUTSIDE) == []
    assert browser.script(CONTRAST) == []


def test_a_phone_shows_the_whole_picture_of_connections(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.as_wide_as(PHONE)
    picture = browser.one("figure.timeline > svg")
    assert picture.aria_role == "image"
    assert picture.accessible_name == "Connections by source address, over time"
    words = browser.script("return document.getElementById('picture-words').textContent")
    assert "From 127.0.22.1, dynamic" in words
    assert {lane.get_attribute("class") for lane in browser.all("svg g.lane")} == {"lane static", "lane dynamic"}
    cut = """return [...document.querySelectorAll('figure.timeline text')]
             .filter(t => { const b = t.getBoundingClientRect(); return b.left < 0 || b.right > innerWidth; }).length"""
    assert browser.script(cut) == 0
