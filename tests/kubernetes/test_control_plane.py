from tests.kubernetes.control_plane import ControlPlane


def test_it_is_there(control_plane: ControlPlane) -> None:
    nodes = control_plane.get("nodes")["items"]
    assert len(nodes) == 4
