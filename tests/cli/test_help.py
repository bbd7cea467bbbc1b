import click
import pytest

from stellwerk.cli.main import VERBS, cli


def test_the_help_lists_every_public_verb_with_a_purpose_that_is_not_cut_off(run):
    text = run("--help").stdout
    for verb in set(VERBS) - {"stage"}:
        (line,) = (line for line in text.splitlines() if line.startswith(f"  {verb} "))
        assert line.endswith(".")
        assert not line.endswith("...")
    assert "  stage " not in text


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_STELLWERK_COMPLETE" in result.stdout


def test_completion_completes_verbs(run, monkeypatch):
    from click.shell_completion import ShellComplete

    found = ShellComplete(cli, {}, "stellwerk", "_STELLWERK_COMPLETE").get_completions([], "re")
    assert [item.value for item in found] == ["reconcile", "reject", "render"]
