"""Generated cards read well as text."""

from export.release.model_card import wrap_markdown


def test_paragraphs_and_items_are_broken_anew_and_the_rest_is_left() -> None:
    words = " ".join(["word"] * 50)
    table = f"| a | {words} |\n|---|---|\n| b | c |"
    text = f"# Title\n\n{words}\nshort end\n\n- {words}\n  more\n- second\n\n{table}\n\n![{words}](x.png)\n"
    wrapped = wrap_markdown(text)
    assert wrapped.split() == text.split()
    lines = wrapped.splitlines()
    assert lines[:2] == ["# Title", ""]
    assert all(len(line) <= 118 for line in lines if not line.startswith(("|", "!")))
    assert [line for line in lines if line.startswith("- ")][1] == "- second"
    assert lines[lines.index("- second") - 1].startswith("  word")
    assert lines[lines.index("- second") - 1].endswith("more")
    assert [*table.splitlines(), "", f"![{words}](x.png)"] == lines[-5:]


def test_what_is_short_stays_as_it_is() -> None:
    text = "# Title\n\n## Part\n- one\n- two\n\nA line.\n"
    assert wrap_markdown(text) == text


def test_commands_and_markers_keep_their_lines() -> None:
    text = "<!-- begin -->\n    first command\n    second command\n<!-- end -->\n"
    assert wrap_markdown(text) == text
