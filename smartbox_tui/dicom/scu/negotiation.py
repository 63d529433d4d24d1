"""A-ASSOCIATE PDUs: the request we send, the acceptance we read (PS3.8 9.3.2, 9.3.3), by pynetdicom's codec.

Only its PDUs are used: the socket is ours, none of its threads is ever started, so none can take a response.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`results` by presentation context id (0 accepted); `syntaxes` the transfer syntax of each accepted one;
    `max_pdu` the longest PDU the peer takes, 0 any."""

    results: dict[int, int]
    syntaxes: dict[int, str]
    max_pdu: int

    def result(self, context_id: int, proposed: str) -> int:
        """Of a context that was proposed with one transfer syntax (PS3.8 9.3.3.2). One that the answer passes over
        is rejected, no reason given (2); one accepted with a syntax that nobody proposed is of no use (4)."""
        result = self.results.get(context_id, 2)
        return 4 if result == 0 and self.syntaxes.get(context_id) != proposed else result


def request_pdu(
    called_aet: str,
    calling_aet: str,
    contexts: Sequence[tuple[str, str]],
    *,
    max_pdu: int,
    implementation_class_uid: str,
    implementation_version_name: str,
    provided: Iterable[str] = (),
) -> bytes:
    """A whole A-ASSOCIATE-RQ. `contexts`: (abstract, transfer syntax), numbered 1, 3, 5 … in their order. Of the
    abstract syntaxes in `provided` the box is the SCP (role selection, PS3.7 D.3.3.4).

    Raises ValueError for a UID that is none.
    """
    from pydicom.uid import UID
    from pynetdicom.pdu import A_ASSOCIATE_RQ
    from pynetdicom.pdu_primitives import (
        A_ASSOCIATE,
        ImplementationClassUIDNotification,
        ImplementationVersionNameNotification,
        MaximumLengthNotification,
        SCP_SCU_RoleSelectionNegotiation,
    )
    from pynetdicom.presentation import build_context

    request = A_ASSOCIATE()
    request.application_context_name = UID(APPLICATION_CONTEXT)
    request.calling_ae_title, request.called_ae_title = calling_aet.strip(" "), called_aet.strip(" ")
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(implementation_class_uid)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = implementation_version_name
    request.user_information = [length, implementation, version]
    for abstract in provided:
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = UID(abstract), False, True
        request.user_information.append(role)
    proposed = []
    for index, (abstract, transfer) in enumerate(contexts):
        for uid in (abstract, transfer):
            if str(UID(uid)) != uid or not UID(uid).is_valid:  # the codec would send it all the same
                raise ValueError(f"{uid!r} is no UID")
        context = build_context(abstract, transfer)
        context.context_id = 2 * index + 1
        proposed.append(context)
    request.presentation_context_definition_list = proposed
    return bytes(A_ASSOCIATE_RQ(request).encode())


def read_acceptance(body: bytes) -> Acceptance:
    """From an A-ASSOCIATE-AC without its six bytes of head. Raises ValueError for one that cannot be read."""
    from pynetdicom.pdu import A_ASSOCIATE_AC

    pdu = A_ASSOCIATE_AC()
    try:
        pdu.decode(b"\x02\0" + len(body).to_bytes(4, "big") + body)
        answer = pdu.to_primitive()
        contexts = answer.presentation_context_definition_results_list
        results = {int(item.context_id): int(item.result) for item in contexts}
        syntaxes = {
            int(item.context_id): str(item.transfer_syntax[0]).strip("\0 ")
            for item in contexts
            if item.result == 0 and len(item.transfer_syntax) == 1
        }
        max_pdu = int(answer.maximum_length_received or 0)
    except Exception as exc:
        raise ValueError(f"an acceptance that is none ({type(exc).__name__})") from exc
    if not results:
        raise ValueError("an acceptance with no presentation context")
    return Acceptance(results, syntaxes, max_pdu)
