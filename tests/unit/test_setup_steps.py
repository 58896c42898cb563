"""Set-up steps: done once, done again when something they depend on has changed."""

from pathlib import Path

import pytest

from cluster.setup import step as step_module
from cluster.setup.step import Step, run_tool
from pipelines.errors import UnavailableError


class _Recorder:
    """A step's work that notes how often it was done and leaves a file."""

    def __init__(self, result: Path) -> None:
        self.times = 0
        self._result = result

    def install(self) -> None:
        self.times += 1
        self._result.touch()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(step_module, "_STAMPS", tmp_path / "stamps")
    file = tmp_path / "input.lock"
    file.write_text("first")
    return file


def _step(source: Path) -> tuple[Step, _Recorder, Path]:
    result = source.with_name("result")
    recorder = _Recorder(result)
    return Step("one", "one", (source,), result.is_file, recorder.install), recorder, result


def test_a_step_is_done_once(source: Path) -> None:
    step, recorder, _ = _step(source)
    step.run()
    step.run()
    assert recorder.times == 1


def test_a_step_is_done_again_when_an_input_has_changed(source: Path) -> None:
    step, recorder, _ = _step(source)
    step.run()
    source.write_text("second")
    step.run()
    assert recorder.times == 2


def test_a_step_is_done_again_when_its_result_is_gone(source: Path) -> None:
    step, recorder, result = _step(source)
    step.run()
    result.unlink()
    step.run()
    assert recorder.times == 2


def test_a_step_that_failed_is_not_counted_as_done(source: Path) -> None:
    step, recorder, result = _step(source)
    broken = Step("one", "one", (source,), result.is_file, _fail)
    with pytest.raises(UnavailableError):
        broken.run()
    step.run()
    assert recorder.times == 1


def _fail() -> None:
    run_tool(["false"])


def test_a_tool_that_fails_is_named_and_its_last_words_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UnavailableError, match=r"sh -c .* exit code 3"):
        run_tool(["sh", "-c", "echo no such package; exit 3"])
    assert "no such package" in capsys.readouterr().err
