import click
import pytest

from stellwerk.cli.main import GROUPS, VERBS, cli


def test_the_help_lists_every_public_verb_with_a_purpose_that_is_not_cut_off(run):
    text = run("--help").stdout
    for verb in set(VERBS) - {"stage"}:
        (line,) = (line for line in text.splitlines() if line.startswith(f"  {verb} "))
        assert line.endswith(".")
        assert not line.endswith("...")
    assert "  stage " not in text


@pytest.mark.parametrize("args", [(), ("--help",), *((verb, "--help") for verb in VERBS)])
def test_every_help_fits_a_terminal_of_80_columns(run, args):
    assert max(map(len, run(*args, env={"COLUMNS": "80"}).output.splitlines())) <= 80


def test_the_help_groups_the_verbs_by_what_a_person_wants(run):
    text = run("--help").stdout
    places = [text.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places)
    assert text.index("\nDecide:") < text.index("  rollback ") < text.index("\nExplain:")
    assert run().output == text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example_that_names_it(run, verb):
    result = run(verb, "--help")
    assert result.exit_code == 0
    purpose = result.stdout.splitlines()[2].strip()
    assert purpose.endswith(".")
    examples = result.stdout.split("Examples:")[1]
    assert f"stellwerk {verb}" in examples or verb == "stage"


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_says_what_it_does(verb):
    command = cli.get_command(click.Context(cli), verb)
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
