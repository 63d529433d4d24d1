"""The schema: a field's metadata holds its rule and its meaning, for the loader and for the settings screens."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from smartbox_tui.settings import rules
from smartbox_tui.settings.destination import CLASSES_CLIP, CLASSES_STILL, Destination, Retry
from smartbox_tui.settings.hooks import Hook
from smartbox_tui.settings.keys import CA_DOC, CERT_DOC, KEY_DOC, NAME_DOC, TLS_DOC, key

PEDAL_FUNCTIONS: Final = ("still", "burst", "record", "mark", "emergency", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    wait_s: float = key(
        600.0,
        "seconds that sending waits for a clock not synchronised since the start; 0: never",
        rule=rules.at_least(0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    id: str = key(doc="short word, names the source everywhere", rule=rules.word)
    kind: str = key("v4l2", "where the picture comes from", rule=rules.one_of("v4l2", "file", "pattern", "folder"))
    name: str = key("", "shown to people; empty: the id")
    device: str = key("", "the grabber's identity or /dev/videoN; of a file or a watched folder its path")
    size: str = key("1920x1080", "width and height in pixels, as in 1920x1080", rule=rules.size)
    fps: float = key(30.0, "frames per second", rule=rules.between(1, 120))
    format: str = key(
        "auto",
        "what the grabber is asked to deliver; auto: the best that it has for size and rate",
        rule=rules.one_of("auto", "mjpeg", "nv12", "yuyv", "uyvy", "i420", "rgb24", "bgr24", "h264"),
    )
    deinterlace: str = key(
        "auto", "of interlaced video; auto: where the grabber says so", rule=rules.one_of("auto", "on", "off")
    )
    controls: str = key("", "of the grabber, as in brightness=128, gain=4; else its own", rule=rules.controls)
    encoder: str = key(
        "auto",
        "what makes clips; auto: the hardware where it passes its test",
        rule=rules.one_of("auto", "software", "v4l2m2m", "qsv", "nvenc"),
    )
    preroll_s: float = key(10.0, "seconds before the press that a clip begins with", rule=rules.between(0, 60))
    preroll_bytes: int = key(
        64 << 20, "most bytes that the seconds before the press may take", rule=rules.at_least(1 << 20)
    )
    still_class: str = key("vl-endoscopic", "SOP class of stills", rule=rules.one_of(*CLASSES_STILL))
    clip_class: str = key("video-endoscopic", "SOP class of clips", rule=rules.one_of(*CLASSES_CLIP))
    burst_class: str = key("multiframe-sc", "SOP class of bursts", rule=rules.one_of("multiframe-sc"))
    codec: str = key("h264", "of clips", rule=rules.one_of("h264", "mpeg2", "hevc"))
    container: str = key("ts", "of clips; mp4 plays in browsers", rule=rules.one_of("ts", "mp4"))
    bitrate: int = key(8_000_000, "quality of clips, in bits per second", rule=rules.between(200_000, 60_000_000))
    burned_in_annotation: bool = key(
        True, "off only after someone has looked: processors write names, which crop and mask take out"
    )
    crop: str = key("0,0,0,0", "what is cut off: left, top, right, bottom in pixels", rule=rules.crop)
    mask: str = key("", "what is blackened: left, top, width, height in pixels; more after a ;", rule=rules.mask)

    @property
    def width(self) -> int:
        return int(self.size.split("x")[0])

    @property
    def height(self) -> int:
        return int(self.size.split("x")[1])

    @property
    def series_class(self) -> str:
        """The class whose modality all pictures of the source share: Secondary Capture has none of its own."""
        return self.clip_class if self.still_class == "secondary-capture" else self.still_class

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """`crop` as numbers: left, top, right, bottom."""
        left, top, right, bottom = (int(part) for part in self.crop.split(","))
        return left, top, right, bottom

    @property
    def masks(self) -> tuple[tuple[int, int, int, int], ...]:
        """`mask` as numbers: left, top, width, height of each."""
        found = []
        for part in filter(None, self.mask.split(";")):
            left, top, width, height = (int(number) for number in part.split(","))
            found.append((left, top, width, height))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pedal:
    id: str = key(doc="short word, names the pedal everywhere", rule=rules.word)
    kind: str = key(
        "evdev", "how it is connected", rule=rules.one_of("evdev", "serial-line", "serial-bytes", "key")
    )
    device: str = key("", "the pedal's identity, /dev/input/eventN or a serial port")
    short: str = key("still", "what a short press does", rule=rules.one_of(*PEDAL_FUNCTIONS))
    long: str = key("record", "what a long press does", rule=rules.one_of(*PEDAL_FUNCTIONS))
    double: str = key("mark", "what a double press does", rule=rules.one_of(*PEDAL_FUNCTIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A DICOM server that the box asks or tells something."""

    host: str = key("", "name or address; empty: none", rule=rules.host)
    port: int = key(104, "DICOM port of the server", rule=rules.between(1, 65535))
    aet: str = key("", "AE title of the server", rule=rules.ae_title_or_empty)
    calling_aet: str = key("", "the AE title that the box calls with; empty: its own", rule=rules.ae_title_or_empty)
    tls: bool = key(False, TLS_DOC)
    ca_file: str = key("", CA_DOC, rule=rules.pem_file)
    cert_file: str = key("", CERT_DOC, rule=rules.pem_file)
    key_file: str = key("", KEY_DOC, rule=rules.pem_file)
    tls_name: str = key("", NAME_DOC, rule=rules.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worklist(Server):
    """No host: no worklist. What the refresh asks for; a query by hand can ask for anything."""

    timeout_s: float = key(
        30.0, "seconds for connecting and for each sign of progress", rule=rules.between(0.5, 600)
    )
    refresh_s: float = key(60.0, "seconds between two refreshes", rule=rules.between(5, 86400))
    days_before: int = key(0, "the list begins that many days before today", rule=rules.between(0, 31))
    days_after: int = key(0, "the list ends that many days after today", rule=rules.between(0, 31))
    station_aet: str = key("", "only steps scheduled for this AE title; empty: all", rule=rules.ae_title_or_empty)
    modality: str = key("", "only steps of this modality, as in ES; empty: all", rule=rules.code_string)
    limit: int = key(
        20_000, "most entries; more are cancelled, and the list says so", rule=rules.between(1, 1_000_000)
    )
    charset: str = key(
        "latin-1",
        "character set of answers that name none",
        rule=rules.one_of("utf-8", "latin-1", "latin-2", "cyrillic", "greek", "turkish"),
    )
    keep_days: float = key(7.0, "days that heard entries stay on the box", rule=rules.between(1, 366))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpps(Server):
    """No host: no performed procedure step server of its own; destinations may take them, too."""

    timeout_s: float = key(30.0, "seconds for connecting and for each answer", rule=rules.between(0.5, 600))
    retry: Retry = key(Retry, "pauses between attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    name: str = key("NOTFALL^{sex_text}^{date}^{time}", "template of the patient's name", rule=rules.template)
    id: str = key("N{date}{time}{station_name}", "template of the patient's ID", rule=rules.template)
    pedal: str = key(
        "unknown",
        "whom a pedal's emergency is for",
        rule=rules.one_of("unknown", "male", "female", "child"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRules:
    open_warn_min: float = key(
        90.0, "minutes after the last picture when it is asked once whether the exam is over; 0: never",
        rule=rules.between(0, 1440),
    )  # fmt: skip
    announce_arrivals: bool = key(True, "a new worklist entry for this station is said once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    burst: int = key(5, "frames of a pedal's burst", rule=rules.between(2, 30))
    warn_min: float = key(
        60.0, "minutes of recording when it is asked once whether it is still wanted; 0: never",
        rule=rules.between(0, 1440),
    )  # fmt: skip
    reserve_bytes: int = key(
        1 << 30,
        "bytes: with less free no recording is begun; the last quarter is for stills",
        rule=rules.between(0, 1 << 40),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A barcode scanner as keyboard wedge, owned by the panel's console. No device: none."""

    device: str = key("", "identity or /dev/input/eventN; empty: none")
    layout: str = key("us", "the keyboard it pretends to be", rule=rules.one_of("us", "de"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    camera: bool = key(False, "QR and Data Matrix codes held before the camera choose the patient")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Of all sources of kind folder; see docs/watched-folder.md."""

    settle_s: float = key(
        2.0, "seconds that a file must not change before it is taken", rule=rules.between(0.2, 600)
    )
    session_min: float = key(
        60.0, "minutes that a photographed code names the patient of the pictures after it",
        rule=rules.between(1, 1440),
    )  # fmt: skip
    first_field: str = key(
        "order",
        "what the first field of a code with | is: order, looked up in the worklist, or the patient's ID",
        rule=rules.one_of("order", "patient"),
    )
    done_days: float = key(
        30.0,
        "days that pictures stay in the folder after they were taken into the box",
        rule=rules.between(1, 3650),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    keyboard: str = key(
        "touch", "when the keyboard on the screen opens", rule=rules.one_of("touch", "always", "never")
    )
    theme: str = key("auto", "colours of the screens", rule=rules.one_of("auto", "true-colour", "console"))
    preview_fps: float = key(0.0, "pictures a second; 0: as the line carries", rule=rules.between(0, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The box's own screen: the console that runs on it, and on no other terminal."""

    touch: str = key("auto", "the touch panel: auto, none, an identity or /dev/input/eventN")
    rotation: int = key(0, "degrees that the touch panel is turned", rule=rules.one_of(0, 90, 180, 270))
    calibration: str = key("", "six numbers, written by the four taps; empty: none", rule=rules.calibration)
    live: str = key(
        "auto",
        "the live picture on the panel: pixels where the framebuffer can, else blocks",
        rule=rules.one_of("auto", "pixels", "blocks"),
    )
    font: str = key(
        "auto", "the letters' size; auto: by the panel's size", rule=rules.one_of("auto", "8x16", "12x24", "16x32")
    )
    dpi: float = key(0.0, "dots per inch of the panel; 0: as it says itself", rule=rules.between(0, 600))
    brightness: int = key(100, "of the panel, in percent", rule=rules.between(5, 100))
    blank_min: float = key(
        0.0, "minutes without touch, pedal or recording until the screen goes dark; 0: never",
        rule=rules.between(0, 1440),
    )  # fmt: skip
    settings: bool = key(True, "off: at the panel only settings of the room are changed, the others by service")
    beep: bool = key(True, "a sound when a picture is taken")
    flash: bool = key(True, "the picture's frame lights up when a picture is taken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long pictures stay on the box that archives have; what nobody has promised stays for ever."""

    keep_days: float = key(
        30.0, "days after the exam that pictures stay on the box which archives have", rule=rules.between(0, 36500)
    )
    release: str = key(
        "stored",
        "the promise it takes: that it is stored, or that it will be kept",
        rule=rules.one_of("stored", "committed"),
    )
    begin_hours: float = key(
        10.0,
        "hours of recording; with less room the oldest go; a tenth of the disk at most",
        rule=rules.between(0, 10_000),
    )
    end_hours: float = key(
        20.0, "until there is room for these hours; a fifth of the disk at most", rule=rules.between(0, 10_000)
    )
    forget_days: float = key(
        365.0,
        "days until an exam that only archives have is forgotten; 0: never",
        rule=rules.between(0, 36500),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    station_name: str = key("ENDO1", "DICOM Station Name", rule=rules.short_string)
    institution_name: str = key("", "DICOM Institution Name", rule=rules.long_string)
    aet: str = key("SMARTBOX", "the box's own AE title, also the calling one", rule=rules.ae_title)
    port: int = key(11112, "port of the box's own DICOM service", rule=rules.between(1, 65535))
    callers: str = key(
        "", "further AE titles that may report to the box, separated by commas", rule=rules.ae_titles
    )
    language: str = key("de", "language of the screens", rule=rules.one_of("de", "en"))
    without_patient: str = key(
        "hold",
        "with no patient chosen: hold keeps the pictures, refuse takes none",
        rule=rules.one_of("hold", "refuse"),
    )
    clock: Clock = key(Clock)
    sources: tuple[Source, ...] = key(tuple)
    pedals: tuple[Pedal, ...] = key(tuple)
    destinations: tuple[Destination, ...] = key(tuple)
    hooks: tuple[Hook, ...] = key(tuple)
    worklist: Worklist = key(Worklist)
    mpps: Mpps = key(Mpps)
    emergency: Emergency = key(Emergency)
    exam: ExamRules = key(ExamRules)
    recording: Recording = key(Recording)
    scanner: Scanner = key(Scanner)
    codes: Codes = key(Codes)
    watched: Watched = key(Watched)
    display: Display = key(Display)
    panel: Panel = key(Panel)
    retention: Retention = key(Retention)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`origins` maps a dotted path (`destinations.archive.port`) to default, a file's path or a variable's name.
    `trouble`: why what the box itself has written is not in force; empty: it is. `text`: the settings file as it
    was read, None without one. `kept`: since when (RFC 3339) the box has the copy of that file that is in force in
    its stead, because of `kept_because`, with its hint; empty: the file itself is."""

    settings: Settings
    origins: dict[str, str]
    files: tuple[Path, ...]
    trouble: str = ""
    text: str | None = field(default=None, repr=False)
    kept: str = ""
    kept_because: str = ""

    def instead(self) -> str:
        """What there is to say of that, for the engineer; empty: nothing."""
        if not self.kept:
            return ""
        why = self.kept_because
        end = "" if why.endswith((".", "?")) else "."
        return f"{why}{end} In force is what the file said when it last held, kept on {self.kept}."
