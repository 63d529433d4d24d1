"""The negotiation as the standard has it; what of DIMSE is ours, pynetdicom reads, and the other way round."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_ECHO_RSP, C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.negotiation import read_acceptance, request_pdu
from tests.dicom.pictures import ORDERED, composition, still
from tests.support.dcmtk import storescp

CONTEXTS = [("1.2.840.10008.1.1", "1.2.840.10008.1.2"), ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.4.50")]


def test_pynetdicom_reads_our_association_request() -> None:
    data = request_pdu(
        "ARCHIVE ",
        "SMARTBOX",
        CONTEXTS,
        max_pdu=16384,
        implementation_class_uid="2.25.1",
        implementation_version_name="SMARTBOX_1",
    )
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(data)
    assert pdu.encode() == data
    request = pdu.to_primitive()
    assert (request.called_ae_title, request.calling_ae_title) == ("ARCHIVE", "SMARTBOX")
    assert request.maximum_length_received == 16384
    assert request.implementation_class_uid == "2.25.1"
    assert pdu.user_information.implementation_version_name == "SMARTBOX_1"
    assert [
        (item.context_id, str(item.abstract_syntax), [str(uid) for uid in item.transfer_syntax])
        for item in request.presentation_context_definition_list
    ] == [(1, CONTEXTS[0][0], [CONTEXTS[0][1]]), (3, CONTEXTS[1][0], [CONTEXTS[1][1]])]


def test_pynetdicom_reads_that_we_provide_a_class() -> None:
    data = request_pdu(
        "A", "B", CONTEXTS, max_pdu=0, implementation_class_uid="2.25.1", implementation_version_name="X",
        provided=[CONTEXTS[1][0]],
    )  # fmt: skip
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(data)
    assert pdu.encode() == data
    (role,) = pdu.user_information.role_selection.values()
    assert (str(role.sop_class_uid), role.scu_role, role.scp_role) == (CONTEXTS[1][0], False, True)


SENDER = """
import sys
from pathlib import Path
from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
item = from_part10(Path(sys.argv[1]))
pairs = [(item.sop_class_uid, item.transfer_syntax_uid)]
with StoreSession(Peer("127.0.0.1", int(sys.argv[2]), "ANY"), pairs) as session:
    assert session.store(item).status == 0
print(*sys.modules)
"""


def test_a_sender_loads_neither_pydicom_nor_pynetdicom(tmp_path: Path) -> None:
    """Two thirds of the time of a short `dicom send` were their import."""
    path = tmp_path / "still.dcm"
    bitstream = tmp_path / "bits"
    bitstream.write_bytes(bytes(1000))
    composition(ORDERED, still("vl-endoscopic", bitstream), bitstream).write(path)
    with storescp(tmp_path / "scp") as peer:
        done = subprocess.run(
            [sys.executable, "-c", SENDER, str(path), str(peer.port)], capture_output=True, text=True, check=True
        )
    loaded = set(done.stdout.split())
    assert "smartbox_tui.dicom.scu.store" in loaded
    assert not loaded & {"pydicom", "pynetdicom", "numpy"}


def test_an_acceptance_tells_of_each_context_what_it_tells() -> None:
    accepted = b"\x21\0\0\x10\1\0\0\0\x40\0\0\x081.2.840\0"
    no_syntax = b"\x21\0\0\x04\3\0\0\0"
    refused = b"\x21\0\0\x06\5\0\4\0\xff\xff"  # what follows a refusal is not looked at
    found = read_acceptance(bytes(68) + accepted + no_syntax + refused)
    assert found.results == {1: 0, 3: 0, 5: 4}
    assert [found.result(number, "1.2.840") for number in (1, 3, 5, 7)] == [0, 4, 4, 2]


def test_we_read_pynetdicoms_acceptance() -> None:
    answer = A_ASSOCIATE()
    answer.application_context_name = UID("1.2.840.10008.3.1.1.1")
    answer.calling_ae_title, answer.called_ae_title = "SMARTBOX", "ARCHIVE"
    answer.result, answer.result_source, answer.diagnostic = 0, 1, 1
    results = []
    for number, (abstract, transfer) in enumerate(CONTEXTS):
        context = build_context(abstract, transfer)
        context.context_id, context.result = 2 * number + 1, 3 * number
        results.append(context)
    answer.presentation_context_definition_results_list = results
    length, implementation, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = 131072
    implementation.implementation_class_uid = UID("1.2.3")
    version.implementation_version_name = "PEER"
    answer.user_information = [length, implementation, version]
    found = read_acceptance(A_ASSOCIATE_AC(answer).encode()[6:])
    assert found.results == {1: 0, 3: 3}
    assert found.max_pdu == 131072


@pytest.mark.parametrize("body", [b"", bytes(68), bytes(68) + b"\x21\0\0\x09\1\0\0\0", bytes(68) + b"\x21"])
def test_an_acceptance_that_is_none_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="acceptance"):
        read_acceptance(body)


@pytest.mark.parametrize("uid", ["", "1.2.x", "1" * 65, "1.2 ", "ü"])
def test_a_context_that_is_no_uid_is_not_asked_for(uid: str) -> None:
    with pytest.raises(ValueError, match="UID"):
        request_pdu(
            "A", "B", [(uid, "1.2")], max_pdu=1, implementation_class_uid="1", implementation_version_name="X"
        )


def test_pynetdicom_reads_our_store_request() -> None:
    data = dimse.store_rq(7, CONTEXTS[1][0], "1.2.3.4")
    command = decode(BytesIO(data), True, True)
    assert command.CommandGroupLength == len(data) - 12
    message = C_STORE_RQ()
    message.command_set = command
    message.ID = 1
    found = message.message_to_primitive()
    assert (found.MessageID, found.AffectedSOPInstanceUID, found.Priority) == (7, "1.2.3.4", 0)
    assert command.CommandDataSetType != 0x0101


def test_we_read_pynetdicoms_store_response() -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo, answer.Status, answer.ErrorComment = 7, 0xA700, "full"
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = UID(CONTEXTS[1][0]), UID("1.2.3")
    message = C_STORE_RSP()
    message.primitive_to_message(answer)
    data = encode(message.command_set, True, True)
    assert data is not None
    found = dimse.decode(data)
    assert found[dimse.COMMAND_FIELD] == dimse.C_STORE_RQ | dimse.RESPONSE
    assert (found[dimse.RESPONDED_TO], found[dimse.STATUS], found[dimse.ERROR_COMMENT]) == (7, 0xA700, "full")
    assert found[dimse.SOP_INSTANCE_UID] == "1.2.3"


def test_we_read_pynetdicoms_echo_response() -> None:
    answer = C_ECHO()
    answer.MessageIDBeingRespondedTo, answer.Status = 3, 0
    message = C_ECHO_RSP()
    message.primitive_to_message(answer)
    data = encode(message.command_set, True, True)
    assert data is not None
    found = dimse.decode(data)
    assert (found[dimse.COMMAND_FIELD], found[dimse.RESPONDED_TO], found[dimse.STATUS]) == (0x8030, 3, 0)


@pytest.mark.parametrize("data", [b"\x08\0\0\0\0\0\0\0", b"\0\0\0\x09\xff\0\0\0ab"])
def test_a_command_set_that_is_none_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="command set"):
        dimse.decode(data)
