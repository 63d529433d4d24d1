"""DIMSE command sets: group 0000, always Implicit VR Little Endian (PS3.7 6.3.1, Annex E)."""

from __future__ import annotations

from typing import Final

C_STORE_RQ: Final = 0x0001
C_GET_RQ: Final = 0x0010
C_FIND_RQ: Final = 0x0020
C_ECHO_RQ: Final = 0x0030
C_CANCEL_RQ: Final = 0x0FFF
N_EVENT_REPORT_RQ: Final = 0x0100
N_SET_RQ: Final = 0x0120
N_ACTION_RQ: Final = 0x0130
N_CREATE_RQ: Final = 0x0140
RESPONSE: Final = 0x8000
NO_DATA_SET: Final = 0x0101
DATA_SET: Final = 0x0001
PRIORITY_MEDIUM: Final = 0x0000

SOP_CLASS_UID: Final = 0x0002
REQUESTED_CLASS_UID: Final = 0x0003
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
RESPONDED_TO: Final = 0x0120
PRIORITY: Final = 0x0700
DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
ERROR_COMMENT: Final = 0x0902
ERROR_ID: Final = 0x0903
SOP_INSTANCE_UID: Final = 0x1000
REQUESTED_INSTANCE_UID: Final = 0x1001
EVENT_TYPE: Final = 0x1002
ACTION_TYPE: Final = 0x1008

_NUMBERS: Final = frozenset(
    {COMMAND_FIELD, MESSAGE_ID, RESPONDED_TO, PRIORITY, DATA_SET_TYPE, STATUS, ERROR_ID, EVENT_TYPE, ACTION_TYPE}
)
_TEXTS: Final = frozenset(
    {SOP_CLASS_UID, SOP_INSTANCE_UID, REQUESTED_CLASS_UID, REQUESTED_INSTANCE_UID, ERROR_COMMENT}
)

Command = dict[int, int | str]
"""By element number of group 0000; US as int, UI and LO as text. Others are left out when decoding."""


def encode(command: Command) -> bytes:
    """The command set with its group length in front; elements in ascending order."""
    body = bytearray()
    for element in sorted(command):
        value = command[element]
        raw = value.to_bytes(2, "little") if isinstance(value, int) else value.encode("ascii")
        raw += b"\0" * (len(raw) % 2)
        body += b"\0\0" + element.to_bytes(2, "little") + len(raw).to_bytes(4, "little") + raw
    return b"\0\0\0\0\x04\0\0\0" + len(body).to_bytes(4, "little") + bytes(body)


def decode(data: bytes) -> Command:
    """The known elements of a command set. Raises ValueError when it is cut off or not of group 0000."""
    command: Command = {}
    position = 0
    while position < len(data):
        group, element = data[position : position + 2], data[position + 2 : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        raw = data[position + 8 : position + 8 + length]
        if group != b"\0\0" or len(data) < position + 8 + length:
            raise ValueError("not a command set")
        number = int.from_bytes(element, "little")
        if number in _NUMBERS:
            command[number] = int.from_bytes(raw[:2], "little")
        elif number in _TEXTS:
            command[number] = raw.decode("latin-1").strip("\0 ")
        position += 8 + length
    return command


def store_rq(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """C-STORE-RQ (PS3.7 9.3.1.1)."""
    return encode(
        {
            SOP_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: C_STORE_RQ,
            MESSAGE_ID: message_id,
            PRIORITY: PRIORITY_MEDIUM,
            DATA_SET_TYPE: DATA_SET,
            SOP_INSTANCE_UID: sop_instance_uid,
        }
    )


def echo_rq(message_id: int, sop_class_uid: str) -> bytes:
    """C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return encode(
        {
            SOP_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: C_ECHO_RQ,
            MESSAGE_ID: message_id,
            DATA_SET_TYPE: NO_DATA_SET,
        }
    )


def find_rq(message_id: int, sop_class_uid: str) -> bytes:
    """C-FIND-RQ; the identifier follows as its data set (PS3.7 9.3.2.1)."""
    return _query(message_id, sop_class_uid, C_FIND_RQ)


def cancel_rq(responded_to: int) -> bytes:
    """C-CANCEL-RQ for the request of that message ID (PS3.7 9.3.2.3)."""
    return encode({COMMAND_FIELD: C_CANCEL_RQ, RESPONDED_TO: responded_to, DATA_SET_TYPE: NO_DATA_SET})


def n_create_rq(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """N-CREATE-RQ; the attribute list follows as its data set (PS3.7 10.3.5.1)."""
    return encode(
        {
            SOP_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: N_CREATE_RQ,
            MESSAGE_ID: message_id,
            DATA_SET_TYPE: DATA_SET,
            SOP_INSTANCE_UID: sop_instance_uid,
        }
    )


def n_set_rq(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """N-SET-RQ; the modification list follows as its data set (PS3.7 10.3.3.1)."""
    return encode(
        {
            REQUESTED_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: N_SET_RQ,
            MESSAGE_ID: message_id,
            DATA_SET_TYPE: DATA_SET,
            REQUESTED_INSTANCE_UID: sop_instance_uid,
        }
    )


def n_action_rq(message_id: int, sop_class_uid: str, sop_instance_uid: str, action: int) -> bytes:
    """N-ACTION-RQ; the action's information follows as its data set (PS3.7 10.3.4.1)."""
    return encode(
        {
            REQUESTED_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: N_ACTION_RQ,
            MESSAGE_ID: message_id,
            DATA_SET_TYPE: DATA_SET,
            REQUESTED_INSTANCE_UID: sop_instance_uid,
            ACTION_TYPE: action,
        }
    )


def get_rq(message_id: int, sop_class_uid: str) -> bytes:
    """C-GET-RQ; the identifier follows as its data set (PS3.7 9.3.3.1)."""
    return _query(message_id, sop_class_uid, C_GET_RQ)


def _query(message_id: int, sop_class_uid: str, field: int) -> bytes:
    return encode(
        {
            SOP_CLASS_UID: sop_class_uid,
            COMMAND_FIELD: field,
            MESSAGE_ID: message_id,
            PRIORITY: PRIORITY_MEDIUM,
            DATA_SET_TYPE: DATA_SET,
        }
    )


def answers(answer: Command, field: int, message_id: int) -> bool:
    """Whether it is the response to that request, `field` being the request's."""
    return answer.get(COMMAND_FIELD) == field | RESPONSE and answer.get(RESPONDED_TO) == message_id


def response(request: Command, status: int) -> bytes:
    """The answer to a request, without a data set: what it names is named again (PS3.7 9.3, 10.3)."""
    values: Command = {
        COMMAND_FIELD: int(request.get(COMMAND_FIELD, 0)) | RESPONSE,
        RESPONDED_TO: request.get(MESSAGE_ID, 0),
        DATA_SET_TYPE: NO_DATA_SET,
        STATUS: status,
    }
    for asked, answered in (
        (SOP_CLASS_UID, SOP_CLASS_UID),
        (REQUESTED_CLASS_UID, SOP_CLASS_UID),
        (SOP_INSTANCE_UID, SOP_INSTANCE_UID),
        (REQUESTED_INSTANCE_UID, SOP_INSTANCE_UID),
        (EVENT_TYPE, EVENT_TYPE),
        (ACTION_TYPE, ACTION_TYPE),
    ):
        if value := request.get(asked):
            values[answered] = _ascii(value) if isinstance(value, str) else value
    return encode(values)


def _ascii(text: str) -> str:
    """What a peer sent as a UID may be anything; it gets back at most what a UID may be long (PS3.5 9.1)."""
    return text.encode("ascii", "ignore").decode()[:64]
