def test_the_demo_runs_the_real_commands_in_its_folder_and_hears_their_exit_codes(
    run, workspace, tmp_path, monkeypatch
):
    heard = []

    def story(directory, *, environ, say, run):
        say(f"in {directory.name}")
        heard.append(run(directory, ["plan"]))
        heard.append(run(directory, ["plan", "--detailed-exitcode"]))
        heard.append(run(directory, ["plan", "--nonsense"]))

    (tmp_path / "shoes").mkdir()
    monkeypatch.setattr("stellwerk.demo.story.demo", story)
    result = run("-C", str(tmp_path), "demo", "shoes")
    assert result.exit_code == 0
    assert heard == [0, 2, 64]
    assert result.stdout.startswith("in shoes\nshoe-demand\n")
    assert ("open", (tmp_path / "shoes",), {}) in workspace.calls


def test_ctrl_c_in_a_command_of_the_demo_ends_the_demo(run, workspace, tmp_path, monkeypatch):
    heard = []

    def story(directory, *, environ, say, run):
        heard.append("before")
        run(directory, ["plan"])
        heard.append("after")

    workspace.answers["plan"] = KeyboardInterrupt()
    monkeypatch.setattr("stellwerk.demo.story.demo", story)
    assert run("-C", str(tmp_path), "demo", ".").exit_code == 130
    assert heard == ["before"]
