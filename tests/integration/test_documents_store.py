"""Files are kept once, by what they hold, in a folder and in a bucket alike, and never handed out damaged."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from services.documents.store import FileMissing, Files, path_of

CONTENT = b"%PDF-1.7 a document"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket on a server that speaks S3, named by the environment as operators do."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-north-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="eu-north-1")
    bucket = f"papers-{uuid4().hex}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.close()
    yield f"s3://{bucket}/of-the-shop"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """The store, empty."""
    return Files(str(tmp_path / "new" / "files") if request.param == "folder" else request.getfixturevalue("bucket"))


async def test_what_was_kept_is_read_by_its_hash_and_may_be_kept_again(files: Files) -> None:
    assert [await files.keep(CONTENT) for _ in range(2)] == [DIGEST, DIGEST]
    assert await files.read(DIGEST) == CONTENT


async def test_what_was_never_kept_is_missing(files: Files) -> None:
    with pytest.raises(FileMissing, match="no file"):
        await files.read(DIGEST)


async def test_a_damaged_file_is_not_handed_out(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    await files.keep(CONTENT)
    (tmp_path / path_of(DIGEST)).write_bytes(CONTENT + b"!")
    with pytest.raises(FileMissing, match="damaged"):
        await files.read(DIGEST)


async def test_each_file_lies_in_the_folder_once(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    for content in (CONTENT, CONTENT, b"another"):
        await files.keep(content)
    assert len(all_files(tmp_path)) == 2


def all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
