"""The till in a browser: a QR held before the camera, points spent and undone, by a thumb and without JavaScript."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from time import perf_counter

import pytest
import segno
from playwright.async_api import Browser

from tests.support.application import COMPANY_ID
from tests.support.browser import Site, chromium, visitor
from tests.support.rows import add_booking

CODE = "TKLL2345"
_numbers = count(1)


def camera_showing(text: str, path: Path) -> Path:
    """A film of one picture, as Chromium takes it for a camera: the QR of a text in the middle of white."""
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(scale=8, border=6)]
    wide, high = 640, 480
    left, top = (wide - len(rows[0])) // 2, (high - len(rows)) // 2
    picture = bytearray(b"\xeb" * (wide * high))
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                picture[(top + y) * wide + left + x] = 16
    frame = b"FRAME\n" + bytes(picture) + b"\x80" * (wide * high // 2)
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n" + frame)
    return path


@pytest.fixture(scope="module")
async def with_camera(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    film = camera_showing(CODE, tmp_path_factory.mktemp("camera") / "qr.y4m")
    async with chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ) as started:
        yield started


async def at_the_till(site: Site) -> int:
    """A receptionist; before them Anna with a visit of today and 500 points."""
    application, number = site.application, next(_numbers)
    await application.execute("update users set unique_code = null")
    anna = await application.new_user(name="Анна", unique_code=CODE)
    async with application.runtime.pool.connection() as conn:
        now = application.runtime.clock()
        await add_booking(
            conn, company_id=COMPANY_ID, user_id=anna, matched_by="code", appointment_datetime=now
        )
    await application.execute(
        "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
        " values (%s, 500, 'adjustment', %s, now(), now())",
        anna,
        f"till {number}",
    )
    return await application.new_user(email=f"till{number}@example.com", name="Вера", role="receptionist")


async def test_a_qr_before_the_camera_leads_to_the_points(
    with_camera: Browser, site: Site, width: int
) -> None:
    vera_id = await at_the_till(site)
    async with visitor(with_camera, site, width=width, user_id=vera_id) as vera:
        await vera.open("/admin/till")
        await vera.must_be_fit()
        await vera.page.click("[data-scan]")
        await vera.page.wait_for_url(f"**/admin/till?who={CODE}")
        await vera.must_be_fit()
        await vera.page.fill("[name=points]", "200")
        await vera.click("button:has-text('Списать')")
        assert "300" in await vera.text()
        await vera.must_be_fit()
        await vera.click("text=Отменить списание")
        assert "500" in await vera.text()


OWN_READER = """
    window.looks = 0;
    window.BarcodeDetector = class {
        static async getSupportedFormats() { return ["ean_13", "qr_code"]; }
        constructor({ formats }) { if (formats.join() !== "qr_code") throw new TypeError("formats"); }
        async detect(video) { return video.videoWidth && ++window.looks > 2 ? [{ rawValue: "%s" }] : []; }
    };
"""
"""The reader that Chromium has on phones and on a Mac; on Linux it has none, or one that reads nothing."""


@pytest.mark.parametrize(
    ("reader", "is_ours"),
    [
        (OWN_READER % CODE, False),
        (
            'window.BarcodeDetector = class { static async getSupportedFormats() { return ["ean_13"]; } };',
            True,
        ),
    ],
    ids=("the browser's", "one that knows no QR"),
)
async def test_the_browsers_own_reader_spares_loading_ours(
    with_camera: Browser, site: Site, reader: str, is_ours: bool
) -> None:
    vera_id = await at_the_till(site)
    async with visitor(with_camera, site, user_id=vera_id) as vera:
        asked: list[str] = []
        vera.page.on("request", lambda request: asked.append(request.url))
        await vera.page.add_init_script(reader)
        await vera.open("/admin/till")
        await vera.page.click("[data-scan]")
        await vera.page.wait_for_url(f"**/admin/till?who={CODE}")
        assert "Анна" in await vera.text()
        assert any("decode.js" in one for one in asked) == is_ours


LIVE_CAMERAS = """
    window.opened = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        const stream = await open(wanted);
        window.opened.push(...stream.getTracks());
        return stream;
    };
"""

OPENED = """() => new Promise((resolve) => {
    const look = setInterval(() => {
        if (!window.opened.length) return;
        clearInterval(look);
        resolve(window.opened.map((one) => one.readyState));
    }, 100);
})"""
"""How the cameras stand, once one was opened."""


async def test_a_camera_that_is_closed_while_it_opens_stays_off(with_camera: Browser, site: Site) -> None:
    vera_id = await at_the_till(site)
    async with visitor(with_camera, site, user_id=vera_id) as vera:
        await vera.page.add_init_script(LIVE_CAMERAS)
        await vera.open("/admin/till")
        await vera.page.click("[data-scan]")
        await vera.page.click("[data-stop]")
        assert await vera.page.evaluate(OPENED) == ["ended"]
        assert vera.page.url.endswith("/admin/till")
        assert not await vera.page.locator("#scan").is_visible()


SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""400 ms to and fro, 400 kbit/s: what developer tools call slow."""
FIRST_USE_SECONDS_MAX = 20


async def test_on_a_slow_phone_net_the_first_use_takes_seconds(with_camera: Browser, site: Site) -> None:
    """Nothing is in the browser yet: the page, the camera, the reader, the client, the points spent."""
    vera_id = await at_the_till(site)
    async with visitor(with_camera, site, user_id=vera_id) as vera:
        net = await vera.page.context.new_cdp_session(vera.page)
        await net.send("Network.enable")
        await net.send("Network.emulateNetworkConditions", SLOW_3G)
        took: dict[str, float] = {}
        began = perf_counter()
        await vera.open("/admin/till")
        took["the field"] = perf_counter() - began
        await vera.page.click("[data-scan]")
        await vera.page.wait_for_url(f"**/admin/till?who={CODE}")
        took["the client"] = perf_counter() - began
        await vera.page.fill("[name=points]", "200")
        await vera.click("button:has-text('Списать')")
        took["spent"] = perf_counter() - began
        print({step: round(seconds, 1) for step, seconds in took.items()})
        assert "300" in await vera.text()
        assert took["spent"] < FIRST_USE_SECONDS_MAX, took


async def test_the_till_works_without_javascript(browser: Browser, site: Site) -> None:
    vera_id = await at_the_till(site)
    async with visitor(browser, site, user_id=vera_id, javascript=False) as vera:
        await vera.open("/admin/till")
        assert not await vera.page.locator("[data-scan]").is_visible()
        await vera.page.fill("[name=who]", CODE.lower())
        await vera.click("text=Найти")
        await vera.page.fill("[name=points]", "200")
        await vera.click("button:has-text('Списать')")
        assert "300" in await vera.text()


async def test_without_a_camera_the_page_says_so(browser: Browser, site: Site) -> None:
    vera_id = await at_the_till(site)
    async with visitor(browser, site, user_id=vera_id) as vera:
        await vera.open("/admin/till")
        await vera.page.click("[data-scan]")
        await vera.page.get_by_text("Камера недоступна").wait_for()
