"""What the conformance statement says of TLS is what the sender does."""

from __future__ import annotations

import re
import ssl

from smartbox_tui.commands.conformance import site_of
from smartbox_tui.dicom.conformance import statement
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.settings import describe
from smartbox_tui.settings.schema import Settings


def test_the_statement_of_tls_is_what_the_box_does() -> None:
    text = statement(site_of(Settings(), own=False)).page.markdown()
    assert "B.12" in text
    context = Tls().context("x")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert not context.options & ssl.OP_NO_TLSv1_3
    assert not context.verify_flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN)
    for cipher in context.get_ciphers():
        if cipher["protocol"] != "TLSv1.3":
            assert re.match(r"(ECDHE|DHE)-.*(GCM|CHACHA20)", cipher["name"]), cipher["name"]
    for name in ("ca_file", "cert_file", "key_file", "tls_name"):
        assert f"`{name}`" in text
        for section in ("destinations.any", "worklist", "mpps"):
            assert describe.place(f"{section}.{name}").key is not None
