"""A camera inside the virtual box: writes numbered JPEG pictures into a v4l2loopback device, as a UVC camera sends
them (no Huffman tables, junk behind the end). Run there: camera.py DEVICE WIDTH HEIGHT FPS
"""

from __future__ import annotations

import fcntl
import itertools
import os
import sys
import time

from hw.base import PixelFormat
from hw.fake.pictures import as_webcam, picture
from hw.video.v4l2 import abi

BUF_TYPE_VIDEO_OUTPUT = 2


def main() -> None:
    device, *numbers = sys.argv[1:]
    width, height, fps = (int(number) for number in numbers)
    fd = os.open(device, os.O_RDWR)
    form = abi.Format(type=BUF_TYPE_VIDEO_OUTPUT)
    form.fmt.pix = abi.PixFormat(
        width=width, height=height, pixelformat=abi.fourcc("MJPG"), field=abi.FIELD_NONE, sizeimage=width * height
    )
    fcntl.ioctl(fd, abi.VIDIOC_S_FMT, form)
    rate = abi.StreamParm(type=BUF_TYPE_VIDEO_OUTPUT)
    rate.parm.capture.timeperframe = abi.Fract(1, fps)
    fcntl.ioctl(fd, abi.VIDIOC_S_PARM, rate)
    started = time.monotonic()
    for number in itertools.count():
        os.write(fd, as_webcam(picture(PixelFormat.MJPEG, width, height, number)))
        time.sleep(max(0.0, started + (number + 1) / fps - time.monotonic()))


if __name__ == "__main__":
    main()
