"""Nothing on the screens is left untranslated."""

from __future__ import annotations

import ast
import re

import pytest

from smartbox_tui.ui import i18n
from tests.ui import catalogs

_FIELD = re.compile(r"{(\w*)}")


def forms(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_catalogue_holds_every_text_of_the_code_and_no_other(language: str) -> None:
    ours = {str(message.id) for message in catalogs.read(language) if message.id}
    code = {str(message.id) for message in catalogs.extracted() if message.id}
    assert code - ours == set(), "python -m tests.ui.catalogs, then translate"
    assert ours - code == set(), "python -m tests.ui.catalogs"


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_text_is_translated_with_the_same_fields(language: str) -> None:
    for message in catalogs.read(language):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        for form in forms(message.string):
            assert form, f"{message.id} is not translated"
            assert set(_FIELD.findall(form)) == set(_FIELD.findall(forms(message.id)[0])), message.id


def test_no_text_hides_in_an_f_string() -> None:
    """Babel does not look into them."""
    for file in sorted(catalogs.UI.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for call in ast.walk(node) if isinstance(node, ast.JoinedStr) else ():
                if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
                    assert name not in catalogs.KEYWORDS, f"{file.name}:{call.lineno}"
