"""The draft talking head's parts; the finished video is measured end to end (mouth_check.py)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from spindle_worker.drawn_mouth import MouthWarp, find_mouth, openness, scaled
from spindle_worker.media import FPS, loudness

PORTRAIT = Path(__file__).resolve().parents[3] / "templates/samples/portrait.jpg"


def test_finds_the_mouth_below_the_eyes_of_the_sample() -> None:
    mouth = find_mouth(scaled(cv2.imread(str(PORTRAIT))))
    assert mouth.found
    assert mouth.x < 225 < mouth.x + mouth.width
    assert mouth.y < 150 < mouth.y + mouth.height + 10


def test_without_a_face_the_box_is_in_the_lower_middle_and_says_so() -> None:
    picture = np.full((200, 300, 3), 127, np.uint8)
    mouth = find_mouth(picture)
    assert not mouth.found
    assert mouth.y > 100
    assert abs(mouth.x + mouth.width / 2 - 150) < 12


def test_a_shut_mouth_is_the_portrait_and_an_open_one_changes_only_the_box() -> None:
    picture = scaled(cv2.imread(str(PORTRAIT)))
    mouth = find_mouth(picture)
    warp = MouthWarp(picture, mouth)
    assert np.array_equal(warp.frame(0), picture)
    changed = np.any(warp.frame(1) != picture, axis=2)
    inside = changed[mouth.y : mouth.y + mouth.height, mouth.x : mouth.x + mouth.width]
    assert inside.mean() > 0.2
    assert changed.sum() == inside.sum()


def test_openness_follows_loudness_and_silence_is_shut() -> None:
    rate = 16000
    time = np.arange(rate * 2) / rate
    sound = (np.sin(2 * np.pi * 220 * time) * (time < 1)).astype(np.float32)
    opened = openness(loudness(sound, rate, 2 * FPS))
    assert opened[:FPS].min() > 0.9
    assert opened[FPS:].max() == 0
    assert openness(np.zeros(10)).max() == 0


def test_every_size_comes_out_even() -> None:
    for height, width in ((1, 1), (37, 1001), (3000, 2000)):
        tall, wide = scaled(np.zeros((height, width, 3), np.uint8)).shape[:2]
        assert tall % 2 == 0
        assert wide % 2 == 0
        assert max(tall, wide) <= 640
