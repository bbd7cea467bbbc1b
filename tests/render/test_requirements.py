"""What is asked of pip, and the file of its answer."""

import string

from hypothesis import given
from hypothesis import strategies as st

from stellwerk.render.requirements import Pin, lock_text, read_lock, wanted

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=9)
PINS = st.builds(
    Pin, name=NAMES, version=st.sampled_from(["1", "2.0.post1", "1!2.0+local.1"]), sha256=DIGESTS, source=st.booleans()
)


@given(st.lists(PINS, unique_by=lambda pin: pin.name, max_size=6).map(tuple))
def test_a_file_that_is_written_pins_all_and_never_depends_on_the_order(pins):
    pins = (*pins, Pin(name="stellwerk", version="1.2", sha256="0" * 64))
    text = lock_text(pins, ("stellwerk==1.2",), python="3.11")
    lock = read_lock(text)
    assert (lock.version, lock.packages, lock.loose) == ("1.2", len({pin.name for pin in pins}), ())
    assert lock_text(pins[::-1], ("stellwerk==1.2",), python="3.11") == text
    for pin in pins:
        without = text.replace(f"=={pin.version} \\\n    --hash=sha256:{pin.sha256}", f"=={pin.version}")
        assert any(requirement.startswith(pin.name) for _, requirement in read_lock(without).loose)


def test_remotes_bring_their_plugins_and_the_forge_its_client():
    urls = ("s3://bucket", "gs://bucket", "abfs://x@y/z", "ssh://host/x", "WEBDAVS://h/x", "remote://storage/x", "../s")
    assert wanted("1", provider="github", urls=urls, built=True) == (
        "stellwerk[azure,github,gs,s3,ssh]==1",
        "dvc[webdav]",
        "setuptools>=70.1",
    )
    assert wanted("1", provider="bitbucket", urls=(), built=False) == ("stellwerk==1",)
    onnx = wanted("1", provider="bitbucket", urls=(), built=False, formats={"onnx"})
    assert onnx == ("stellwerk[onnx]==1",)
