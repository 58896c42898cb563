"""What the Containerfile says, as the test that builds it reads it."""

import pytest

from cluster.setup.paths import ROOT
from tests.image.containerfile import Copy, Run, stages_of

TEXT = """
# A comment.
ARG IMAGE=debian
FROM ${IMAGE} AS base
ENV A=1 \\
    B=two
WORKDIR /app
FROM base AS build
ENV A=3
COPY one two /there/
COPY --from=base /x /y
RUN ./make it
USER 10001:10001
CMD ["run"]
"""


def test_a_stage_goes_on_from_the_one_it_names() -> None:
    stages = stages_of(TEXT)
    assert stages["base"].base == "debian"
    build = stages["build"]
    assert (build.base, build.folder, build.user) == ("base", "/app", "10001:10001")
    assert build.steps == [
        Copy(None, ("one", "two"), "/there/"),
        Copy("base", ("/x",), "/y"),
        Run("./make it", {"A": "3", "B": "two"}, "/app"),
    ]
    assert stages["base"].environment == {"A": "1", "B": "two"}


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="HEALTHCHECK"):
        stages_of("FROM x AS y\nHEALTHCHECK NONE")


def test_both_images_run_as_a_user_without_rights_and_copy_only_what_they_need() -> None:
    stages = stages_of((ROOT / "cluster/kubernetes/Containerfile").read_text())
    for name in ("cpu", "gpu"):
        stage = stages[name]
        assert stage.user == "10001:10001"
        assert stage.base == "base"
        assert [type(step) for step in stage.steps] == [Copy, Copy]
