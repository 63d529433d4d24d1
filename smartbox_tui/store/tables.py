"""The tables as peewee models, bound to no database: each query names the connection it runs on."""

from __future__ import annotations

from peewee import BooleanField, CompositeKey, FloatField, IntegerField, Model, TextField

__all__ = [
    "Audit",
    "Commitment",
    "CommitmentItem",
    "Delivery",
    "DeliveryChange",
    "Exam",
    "Fact",
    "Instance",
    "PausedDestination",
    "PerformedMessage",
    "Reconciling",
    "WorklistItem",
]


class Exam(Model):
    """`patient` is PATIENT's JSON; times RFC 3339 with offset. `dates`: unsure, said by a clock not synchronised,
    and may still follow; final, sent so; empty, sure."""

    id = TextField(primary_key=True)
    state = TextField()
    study_uid = TextField()
    accession = TextField()
    opened_at = TextField()
    opened_by = TextField()
    closed_at = TextField(null=True)
    released = BooleanField()
    revision = IntegerField()
    patient = TextField()
    patient_id = TextField()
    emergency = TextField(null=True)
    close_command = TextField()
    parts = IntegerField()
    generation = IntegerField()
    merged_into = TextField(null=True)
    held = BooleanField()
    worklist = TextField()
    procedure = TextField()
    dates = TextField()


class Instance(Model):
    """`id` the picture's UUID, `file` its bitstream's name in the folder of exam `folder`; `exam` is the one that
    it belongs to. `kind` is still, burst, clip, or note: a rejection note, which is no picture. They are ordered by
    the number of their boot, then by `trigger_ns`. `unsure`: `captured_at` was said by a clock not synchronised.
    `released_at`: since when only archives have it; empty while it is here."""

    id = TextField(primary_key=True)
    sop_uid = TextField()
    exam = TextField()
    series_uid = TextField()
    series_number = IntegerField()
    instance_number = IntegerField()
    sop_class_uid = TextField()
    transfer_syntax_uid = TextField()
    kind = TextField()
    source = TextField()
    captured_at = TextField()
    frames = IntegerField()
    frames_lost = IntegerField()
    duration_s = FloatField(null=True)
    trigger_ns = IntegerField()
    frame_ns = IntegerField()
    trigger_to_disk_ms = FloatField(null=True)
    bytes = IntegerField()
    file = TextField()
    revision = IntegerField()
    discarded = BooleanField()
    folder = TextField()
    boot = IntegerField()
    unsure = BooleanField()
    released_at = TextField()


class Delivery(Model):
    """One rendition for one destination. `next_at` seconds since the epoch, `lease_until` of
    CLOCK_MONOTONIC.

    attempts    answers of the archive so far (CONTRACT); failures: of the network, in a row, for the pauses
    uncertain   the last try may have arrived (connection lost after the last byte, or we were killed)
    variant     how it differs from the picture as captured (model.variant); its UID is `sop_uid`
    prepare     what a media child must make before it can be sent: bitstream | pixels; empty: nothing
    promise     of a stored one: asked (since `promise_at`, RFC 3339) whether it is kept, or never: the archive
                makes no promise for it; empty: still to be asked, not before `next_at`. `promise_failures`: how
                often in a row it was not kept
    """

    id = IntegerField(primary_key=True)
    instance = TextField()
    sop_uid = TextField()
    exam = TextField()
    destination = TextField()
    kind = TextField()
    state = TextField()
    reason = TextField()
    code = TextField()
    attempts = IntegerField()
    failures = IntegerField()
    next_at = FloatField(null=True)
    bytes = IntegerField()
    bytes_sent = IntegerField()
    lease_until = FloatField(null=True)
    worker = TextField()
    priority = IntegerField()
    paused = BooleanField()
    uncertain = BooleanField()
    created_at = TextField()
    changed_at = TextField()
    variant = TextField()
    prepare = TextField()
    promise = TextField(default="")
    promise_at = TextField(default="")
    promise_failures = IntegerField(default=0)


class DeliveryChange(Model):
    """Every change of a delivery's state, with reason and time."""

    id = IntegerField(primary_key=True)
    delivery = IntegerField()
    at = TextField()
    old = TextField()
    new = TextField()
    reason = TextField()
    code = TextField()

    class Meta:
        table_name = "delivery_change"


class Commitment(Model):
    """One question for an archive, by its Transaction UID. `state`: made (it may have been asked) | asked |
    answered | over (asked anew, or refused). `due_at` seconds since the epoch: when it is asked anew; `attempts`
    how often something of it was asked before."""

    id = IntegerField(primary_key=True)
    uid = TextField()
    destination = TextField()
    state = TextField()
    reason = TextField()
    attempts = IntegerField()
    asked_at = TextField()
    due_at = FloatField()
    changed_at = TextField()


class CommitmentItem(Model):
    """A delivery that a question is about, under the UID it had. `state`: open | kept | failed | void."""

    commitment = IntegerField()
    delivery = IntegerField()
    sop_uid = TextField()
    state = TextField()

    class Meta:
        table_name = "commitment_item"
        primary_key = CompositeKey("commitment", "delivery")


class PausedDestination(Model):
    name = TextField(primary_key=True)

    class Meta:
        table_name = "paused_destination"


class Reconciling(Model):
    """Exams whose deliveries nobody may claim."""

    exam = TextField(primary_key=True)


class WorklistItem(Model):
    """`item` is the wire's WorklistItem, `source` the answer in the DICOM JSON model, both as JSON."""

    id = TextField(primary_key=True)
    patient_id = TextField()
    accession = TextField()
    scheduled_at = TextField()
    item = TextField()
    source = TextField()
    heard_at = TextField()
    listed = BooleanField()

    class Meta:
        table_name = "worklist_item"


class PerformedMessage(Model):
    """One N-CREATE or N-SET for one server. `verb` create | set; `state` waiting | sent | blocked | dropped;
    `dataset` the attributes in the DICOM JSON model. `uncertain`: the last try may have arrived."""

    id = IntegerField(primary_key=True)
    step = TextField()
    exam = TextField()
    peer = TextField()
    verb = TextField()
    dataset = TextField()
    state = TextField()
    reason = TextField()
    code = TextField()
    attempts = IntegerField()
    failures = IntegerField()
    next_at = FloatField(null=True)
    uncertain = BooleanField()
    created_at = TextField()
    changed_at = TextField()

    class Meta:
        table_name = "performed_message"


class Audit(Model):
    """Who did what to which exam, or to the settings. `detail` is JSON without patient data and secrets."""

    id = IntegerField(primary_key=True)
    at = TextField()
    who = TextField()
    action = TextField()
    exam = TextField()
    detail = TextField()


class Fact(Model):
    name = TextField(primary_key=True)
    value = TextField()
