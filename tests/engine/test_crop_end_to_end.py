"""A source with crop and mask through the whole box: objects of the right size with nothing of what is hidden."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.encaps import generate_frames

from hw.video.strip import read_strip, strip_size
from tests.support.box import Box, settings
from tests.support.dcmtk import dciodvfy
from tests.support.frames import bitstream_of, count_frames, strips_of_clip
from tests.support.orthanc import Orthanc

CROP, MASK = "80,40,0,20", "240,160,300,120"
WIDTH, HEIGHT = 560, 300
COVERED = (slice(128, 232), slice(168, 452))
"""Of what is kept, a little inside the mask."""


@pytest.mark.orthanc
def test_nothing_of_what_is_hidden_arrives(archive: Orthanc, tmp_path: Path) -> None:
    config = settings(archive.port).replace(
        'size = "640x360"', f'size = "640x360"\ncrop = "{CROP}"\nmask = "{MASK}"'
    )
    assert MASK in config
    box = Box(config)
    try:
        box.start()
        (source,) = box.ctl("sources")["sources"]
        assert (source["width"], source["height"]) == (WIDTH, HEIGHT)
        exam = box.open_exam()
        still = box.ctl("still")["instance"]
        burst = box.ctl("still", "--burst", "3")["instance"]
        box.ctl("record", "start")
        time.sleep(1)
        (clip,) = box.ctl("record", "stop")["instances"]
        box.ctl("exam", "close")
        box.wait_stored(exam["id"], 3)
        export = box.smartbox("dicom", "export", "--study", exam["study_instance_uid"], "--out", str(tmp_path))
        for item in export["exported"]:
            assert dciodvfy(Path(item["file"]))[0] == []
            (checked,) = box.smartbox("dicom", "validate", item["file"])["files"]
            assert checked["ok"], checked
    finally:
        box.close()
    pictures = []
    for instance in (still, burst, clip):
        dataset = pydicom.dcmread(io.BytesIO(archive.file_of(instance["sop_instance_uid"])))
        assert (dataset.Columns, dataset.Rows) == (WIDTH, HEIGHT)
        assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]
        assert dataset.BurnedInAnnotation == "YES"  # until a person has said otherwise
        if instance is not clip:
            frames = generate_frames(dataset.PixelData, number_of_frames=instance["frames"])
            pictures += [np.asarray(simplejpeg.decode_jpeg(frame, "GRAY"))[:, :, 0] for frame in frames]
    assert len(pictures) == 4
    for luma in pictures:
        assert luma.shape == (HEIGHT, WIDTH)
        assert read_strip(luma).ok
        assert luma[COVERED].max() <= 3
        assert luma[strip_size(WIDTH)[1] + 4 :].max() > 100
    stream = tmp_path / "clip.ts"
    stream.write_bytes(bitstream_of(archive.file_of(clip["sop_instance_uid"])))
    assert count_frames(stream) == clip["frames"] == len(strips_of_clip(stream, WIDTH, HEIGHT))
