"""Download, cache and checksums of the files of data sets, from a server on the loopback."""

import hashlib
import re
import socket

import pytest
from dataset_files import serving

from metricnets.datasets._loading import remote
from metricnets.datasets._loading.remote import Options, RemoteFile, load

BODY = b"made contents " * 10000
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as started:
        yield started


def read(path):
    if path.read_bytes() != BODY:
        raise ValueError("not what was sent")
    return "contents"


def fetched(home, url, checksum=None, **options):
    options = {"data_home": home, "download_if_missing": True, "n_retries": 1, "delay": 1e-3} | options
    return load("made", [RemoteFile("file.bin", url, checksum)], read, Options(**options))


def path_in(home):
    return home / "metricnets" / "made" / "file.bin"


def files(home):
    """Names of all files, and of folders that are not those of the data set."""
    kept = {home / "metricnets", home / "metricnets" / "made"}
    return sorted(path.name for path in home.rglob("*") if path not in kept)


@pytest.mark.parametrize("checksum", [None, SHA])
def test_a_file_is_downloaded_once(server, tmp_path, checksum):
    url = server.send("file", BODY)
    assert fetched(tmp_path, url, checksum) == fetched(tmp_path, url, checksum) == "contents"
    assert server.requests == ["/file"]
    assert files(tmp_path) == ["file.bin", "file.bin.sha256"]
    assert (tmp_path / "metricnets/made/file.bin.sha256").read_text().strip() == SHA
    assert fetched(tmp_path, url, checksum, download_if_missing=False) == "contents"


def test_files_have_the_usual_permissions(server, tmp_path):
    fetched(tmp_path, server.send("file", BODY))
    (tmp_path / "ordinary").write_bytes(b"")
    modes = {path.stat().st_mode for path in tmp_path.rglob("*") if path.is_file()}
    assert len(modes) == 1


def test_files_in_a_folder_that_cannot_be_written_are_read(tmp_path, monkeypatch):
    path_in(tmp_path).parent.mkdir(parents=True)
    path_in(tmp_path).write_bytes(BODY)
    monkeypatch.setattr(remote.os, "access", lambda path, mode: False)
    assert fetched(tmp_path, None) == "contents"
    assert files(tmp_path) == ["file.bin"]


def test_scikit_learns_data_home_is_the_default(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    assert fetched(None, server.send("file", BODY)) == "contents"
    assert path_in(tmp_path).exists()


def test_what_has_another_checksum_than_published_is_not_kept(server, tmp_path):
    url = server.send("file", BODY[:-1] + b"?")
    with pytest.raises(OSError, match=rf"file.bin has the SHA-256 \w+, and should have {SHA}, which is published"):
        fetched(tmp_path, url, SHA)
    assert files(tmp_path) == []


def test_a_file_that_changed_since_the_first_download_is_refused(server, tmp_path):
    url = server.send("file", BODY)
    fetched(tmp_path, url)
    path_in(tmp_path).write_bytes(b"edited")
    with pytest.raises(OSError, match=rf"{SHA}, that of the first download, which \S+.sha256 holds; delete"):
        fetched(tmp_path, url)
    path_in(tmp_path).unlink()
    assert fetched(tmp_path, url) == "contents"


def test_a_page_instead_of_the_file_is_not_kept(server, tmp_path):
    with pytest.raises(OSError, match=r"file.bin is damaged: ValueError\('not what was sent'\).*try again later"):
        fetched(tmp_path, server.send("file", b"<html>moved</html>"))
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "advice"),
    [("http://localhost/file", "Delete it to download it again"), (None, "Put the right file there by hand")],
)
def test_a_damaged_file_that_was_there_is_kept(url, advice, tmp_path):
    path_in(tmp_path).parent.mkdir(parents=True)
    path_in(tmp_path).write_bytes(b"by hand")
    with pytest.raises(OSError, match=rf"is damaged.*\. {advice}\."):
        fetched(tmp_path, url)
    assert files(tmp_path) == ["file.bin"]


def test_a_file_without_a_url_is_put_there_by_hand(tmp_path):
    with pytest.raises(OSError, match=re.escape(f"{path_in(tmp_path)} is not there, and has no URL")):
        fetched(tmp_path, None)
    path_in(tmp_path).parent.mkdir(parents=True)
    path_in(tmp_path).write_bytes(BODY)
    assert fetched(tmp_path, None) == "contents"


def test_without_download_nothing_is_requested(server, tmp_path):
    url = server.send("file", BODY)
    with pytest.raises(OSError, match=rf"download_if_missing=False; it is available from {url}"):
        fetched(tmp_path, url, download_if_missing=False)
    assert server.requests == []


def test_a_file_that_the_server_does_not_have_is_asked_for_once(server, tmp_path):
    with pytest.raises(OSError, match=rf"{server.url}/gone cannot be downloaded: .*404.*put it at {path_in(tmp_path)}"):
        fetched(tmp_path, f"{server.url}/gone", n_retries=3)
    assert server.requests == ["/gone"]
    assert files(tmp_path) == []


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.send("file", b"", status=503)
    url = server.send("file", BODY)
    with pytest.warns(UserWarning, match="503.*Retries left: 1"):
        assert fetched(tmp_path, url) == "contents"
    assert len(server.requests) == 2


def test_an_interrupted_transfer_is_tried_again(server, tmp_path):
    server.send("file", BODY[:70000], announced=len(BODY))
    url = server.send("file", BODY)
    with pytest.warns(UserWarning, match=f"{len(BODY)} bytes|more expected"):
        assert fetched(tmp_path, url) == "contents"


def test_of_interrupted_transfers_nothing_is_left(server, tmp_path):
    url = server.send("file", BODY[:70000], announced=len(BODY))
    with pytest.raises(OSError, match="cannot be downloaded"), pytest.warns(UserWarning, match="Retries left"):
        fetched(tmp_path, url, n_retries=2)
    assert len(server.requests) == 3
    assert files(tmp_path) == []


def test_of_a_download_that_the_user_interrupts_nothing_is_left(tmp_path, monkeypatch):
    def interrupted(url, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(remote, "_transfer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetched(tmp_path, "http://127.0.0.1/file")
    assert files(tmp_path) == []


def test_without_a_network_the_error_says_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
        with pytest.warns(UserWarning, match="Retries left: 1"), pytest.raises(OSError, match=f"{url} .*put it at"):
            fetched(tmp_path, url)
    assert files(tmp_path) == []


@pytest.mark.parametrize("option", [{"n_retries": 0}, {"n_retries": 1.5}, {"delay": 0}, {"delay": "1"}])
def test_options_are_checked_before_the_network_is_used(server, tmp_path, option):
    with pytest.raises(ValueError, match=f"{next(iter(option))}="):
        fetched(tmp_path, server.send("file", BODY), **option)
    assert server.requests == []
