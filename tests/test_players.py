"""A film of many chunks plays to its end in a browser, without an error or a frame too few.

Needs Chromium (`chromium` on the path); skips where there is none.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tasks.render.chunks import chunks
from tasks.render.plan import SoundPlan
from tasks.run import Run
from tests.builders import film, flash_video, footage, random_clips, render_plan

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--autoplay-policy=no-user-gesture-required", "--mute-audio"),
)
PAGE = """<!doctype html><video id="v" src="film.mp4" autoplay></video><script>
const v = document.getElementById("v");
const told = how => fetch("/told", {method: "POST", body: JSON.stringify({
  how, error: v.error && v.error.message, at: v.currentTime, length: v.duration,
  width: v.videoWidth, frames: v.getVideoPlaybackQuality().totalVideoFrames})});
v.onended = () => told("ended");
v.onerror = () => told("failed");
v.onstalled = () => told("stalled");
</script>"""


class Told(SimpleHTTPRequestHandler):
    """Serves a folder, and keeps what the page says."""

    said: dict[str, Any]
    heard: threading.Event

    def do_POST(self) -> None:
        self.said.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        self.heard.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_chromium_plays_a_joined_film_to_its_end(run: Run, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    source = footage(run, flash_video(tmp_path / "in.mp4", rate, 18))
    sound = SoundPlan(48_000, 1, 128_000, 0.005)
    plan = render_plan([source], random_clips(0, 360, 12, seed=1), sound=sound, max_chunk_frames=60)
    assert len(chunks(plan)) > 3
    page = tmp_path / "page"
    page.mkdir()
    film(run, plan, page / "film.mp4")
    (page / "index.html").write_text(PAGE)
    handler = type("Handler", (Told,), {"said": {}, "heard": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(page)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/index.html"
    command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"]
    browser = subprocess.Popen(
        [*command, "--remote-debugging-port=0", address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert handler.heard.wait(60), "the page said nothing"
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()

    said, length_s = handler.said, float(plan.timeline.frames / rate)
    assert (said["how"], said["error"]) == ("ended", None)
    assert said["length"] == pytest.approx(length_s, abs=0.03)
    assert said["at"] == pytest.approx(length_s, abs=0.05)
    # It shows as many as it has time for; it decodes all but those that it drops at the end.
    assert plan.timeline.frames * 0.9 <= said["frames"] <= plan.timeline.frames
