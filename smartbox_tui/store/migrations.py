"""The schema, step by step from the first version. `PRAGMA user_version` says how far a database is."""

from __future__ import annotations

from typing import Any, Final

from smartbox_tui.errors import SmartBoxError

STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (  # 1: the main job
        """CREATE TABLE exam (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, study_uid TEXT NOT NULL, accession TEXT NOT NULL,
            opened_at TEXT NOT NULL, opened_by TEXT NOT NULL, closed_at TEXT, released INTEGER NOT NULL,
            revision INTEGER NOT NULL, patient TEXT NOT NULL, patient_id TEXT NOT NULL, emergency TEXT,
            close_command TEXT NOT NULL, parts INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX exam_opened ON exam (opened_at)",
        "CREATE INDEX exam_state ON exam (state)",
        "CREATE INDEX exam_patient ON exam (patient_id)",
        """CREATE TABLE instance (
            id TEXT PRIMARY KEY, sop_uid TEXT NOT NULL UNIQUE, exam TEXT NOT NULL REFERENCES exam (id),
            series_uid TEXT NOT NULL, series_number INTEGER NOT NULL, instance_number INTEGER NOT NULL,
            sop_class_uid TEXT NOT NULL, transfer_syntax_uid TEXT NOT NULL, kind TEXT NOT NULL,
            source TEXT NOT NULL, captured_at TEXT NOT NULL, frames INTEGER NOT NULL,
            frames_lost INTEGER NOT NULL, duration_s REAL, trigger_ns INTEGER NOT NULL,
            frame_ns INTEGER NOT NULL, trigger_to_disk_ms REAL, bytes INTEGER NOT NULL, file TEXT NOT NULL,
            revision INTEGER NOT NULL, discarded INTEGER NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX instance_exam ON instance (exam, captured_at)",
        """CREATE TABLE delivery (
            id INTEGER PRIMARY KEY, instance TEXT NOT NULL REFERENCES instance (id), sop_uid TEXT NOT NULL,
            exam TEXT NOT NULL, destination TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
            reason TEXT NOT NULL,
            code TEXT NOT NULL, attempts INTEGER NOT NULL, failures INTEGER NOT NULL, next_at REAL,
            bytes INTEGER NOT NULL,
            bytes_sent INTEGER NOT NULL, lease_until REAL, worker TEXT NOT NULL, priority INTEGER NOT NULL,
            paused INTEGER NOT NULL, uncertain INTEGER NOT NULL, created_at TEXT NOT NULL,
            changed_at TEXT NOT NULL, UNIQUE (sop_uid, destination))""",
        "CREATE INDEX delivery_claim ON delivery (destination, state, paused, priority DESC, id)",
        "CREATE INDEX delivery_state ON delivery (state, id)",
        "CREATE INDEX delivery_exam ON delivery (exam)",
        """CREATE TABLE delivery_change (
            id INTEGER PRIMARY KEY, delivery INTEGER NOT NULL REFERENCES delivery (id), at TEXT NOT NULL,
            old TEXT NOT NULL, new TEXT NOT NULL, reason TEXT NOT NULL, code TEXT NOT NULL)""",
        "CREATE INDEX delivery_change_of ON delivery_change (delivery)",
        "CREATE TABLE paused_destination (name TEXT PRIMARY KEY) WITHOUT ROWID",
    ),
    (  # 2: the right patient
        "ALTER TABLE exam ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE exam ADD COLUMN merged_into TEXT",
        "ALTER TABLE exam ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE exam ADD COLUMN worklist TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE exam ADD COLUMN procedure TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX exam_worklist ON exam (worklist)",
        "CREATE INDEX exam_study ON exam (study_uid)",
        # the exam whose folder holds the files; `exam` is the one they belong to
        "ALTER TABLE instance ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
        "UPDATE instance SET folder = exam",
        "CREATE INDEX instance_folder ON instance (folder)",
        # exams whose deliveries nobody may claim: their patient is being corrected
        "CREATE TABLE reconciling (exam TEXT PRIMARY KEY) WITHOUT ROWID",
        """CREATE TABLE worklist_item (
            id TEXT PRIMARY KEY, patient_id TEXT NOT NULL, accession TEXT NOT NULL, scheduled_at TEXT NOT NULL,
            item TEXT NOT NULL, source TEXT NOT NULL, heard_at TEXT NOT NULL, listed INTEGER NOT NULL
            ) WITHOUT ROWID""",
        "CREATE INDEX worklist_listed ON worklist_item (listed, scheduled_at)",
        "CREATE INDEX worklist_heard ON worklist_item (heard_at)",
        """CREATE TABLE performed_message (
            id INTEGER PRIMARY KEY, step TEXT NOT NULL, exam TEXT NOT NULL, peer TEXT NOT NULL, verb TEXT NOT NULL,
            dataset TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, code TEXT NOT NULL,
            attempts INTEGER NOT NULL, failures INTEGER NOT NULL, next_at REAL, uncertain INTEGER NOT NULL,
            created_at TEXT NOT NULL, changed_at TEXT NOT NULL, UNIQUE (step, peer, verb))""",
        "CREATE INDEX performed_open ON performed_message (state, peer, id)",
        "CREATE INDEX performed_exam ON performed_message (exam)",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, exam TEXT NOT NULL,
            detail TEXT NOT NULL)""",
        "CREATE INDEX audit_exam ON audit (exam)",
        # small things worth keeping over a restart: the time of the worklist's last answer
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (  # 3: renditions that are not as captured
        "ALTER TABLE delivery ADD COLUMN variant TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE delivery ADD COLUMN prepare TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX delivery_prepare ON delivery (state, priority DESC, id) WHERE prepare != ''",
    ),
    (  # 4: clocks that jump
        # pictures are ordered by boot and monotonic time; the older ones, of boot 0, by their wall time
        "ALTER TABLE instance ADD COLUMN boot INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE instance ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX instance_unsure ON instance (folder) WHERE unsure",
        "ALTER TABLE exam ADD COLUMN dates TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX exam_dates ON exam (dates) WHERE dates != ''",
    ),
    (  # 5: all deliveries of one picture, whichever rendition
        "CREATE INDEX delivery_instance ON delivery (instance)",
    ),
    (  # 6: the queue's screen: a page at any place of a long queue, of one archive or of all
        "CREATE INDEX delivery_order ON delivery (state, priority DESC, id, destination)",
        "CREATE INDEX delivery_over ON delivery (state, id, destination)",
        "DROP INDEX delivery_state",
    ),
    (  # 7: hooks: who is told of what, what waits, and what became of it
        """CREATE TABLE hook_want (
            event TEXT NOT NULL, hook TEXT NOT NULL, patient INTEGER NOT NULL, PRIMARY KEY (event, hook)
            ) WITHOUT ROWID""",
        """CREATE TABLE hook_event (
            id INTEGER PRIMARY KEY AUTOINCREMENT, hook TEXT NOT NULL, event_id TEXT NOT NULL, event TEXT NOT NULL,
            at TEXT NOT NULL, born REAL NOT NULL, data TEXT NOT NULL, known TEXT NOT NULL,
            attempts INTEGER NOT NULL, failures INTEGER NOT NULL, next_at REAL)""",
        "CREATE INDEX hook_event_next ON hook_event (hook, id)",
        """CREATE TABLE hook_state (
            hook TEXT PRIMARY KEY, delivered INTEGER NOT NULL, refused INTEGER NOT NULL, dropped INTEGER NOT NULL,
            untold INTEGER NOT NULL, delivered_at TEXT, error TEXT NOT NULL, code TEXT NOT NULL, error_at TEXT
            ) WITHOUT ROWID""",
        # exams of which something may have been the last to be delivered
        "CREATE TABLE hook_watch (exam TEXT PRIMARY KEY) WITHOUT ROWID",
    ),
    (  # 8: local copies are released when archives have promised them
        # empty: the picture is here; else the time from which on it is not
        "ALTER TABLE instance ADD COLUMN released_at TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX instance_here ON instance (folder) WHERE released_at = ''",
        "CREATE INDEX exam_closed ON exam (closed_at) WHERE state = 'closed'",
        # pictures whose row says released, and whose bitstream is about to go
        "CREATE TABLE releasing (instance TEXT PRIMARY KEY) WITHOUT ROWID",
        # when a clock that is trusted first met what a clock that was not says the time of
        "CREATE TABLE first_seen (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
    ),
    (  # 9: what archives promise to keep: the questions, and which deliveries each is about
        """CREATE TABLE commitment (
            id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, destination TEXT NOT NULL, state TEXT NOT NULL,
            reason TEXT NOT NULL, attempts INTEGER NOT NULL, asked_at TEXT NOT NULL, due_at REAL NOT NULL,
            changed_at TEXT NOT NULL)""",
        "CREATE INDEX commitment_open ON commitment (destination, state, due_at)",
        """CREATE TABLE commitment_item (
            commitment INTEGER NOT NULL REFERENCES commitment (id), delivery INTEGER NOT NULL,
            sop_uid TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (commitment, delivery)) WITHOUT ROWID""",
        "CREATE INDEX commitment_item_of ON commitment_item (delivery)",
        "ALTER TABLE delivery ADD COLUMN promise TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE delivery ADD COLUMN promise_at TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE delivery ADD COLUMN promise_failures INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX delivery_promise ON delivery (destination, promise, id) WHERE state = 'stored'",
    ),
)

VERSION: Final = len(STEPS)


def migrate(database: Any) -> int:
    """Brings the database to VERSION, each step in a transaction of its own; returns the steps taken.

    Raises SmartBoxError `refused` for a database of a newer program: reading on would guess.
    """
    (version,) = database.execute_sql("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise SmartBoxError(
            "refused",
            f"The database has schema version {version}, this program knows {VERSION}.",
            "Start the newer program, or restore the backup made before the upgrade.",
        )
    for number in range(version, VERSION):
        with database.atomic():
            for statement in STEPS[number]:
                database.execute_sql(statement)
            database.execute_sql(f"PRAGMA user_version = {number + 1}")
    return VERSION - int(version)
