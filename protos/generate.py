"""Builds gen/ from protos/: the stubs, and gen/chenu.binpb, which describes them all.

Run by `make gen`. The folder is built aside and then swapped in, so that a
failed build leaves the old stubs alone and a deleted .proto leaves no stub.
The two imports that are not ours are not copied here: `google/api` and
`google/rpc` come as .proto files with googleapis-common-protos, and
`buf/validate` out of protovalidate, which carries it as a descriptor.
"""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb  # its only copy of the rules' proto
from stub_types import StubTypes

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GEN = ROOT / "gen"
VALIDATE = "buf/validate/validate.proto"


def folder_of(package: str) -> Path:
    """Where an installed package lies, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"protos/generate.py: the package {package} is not installed; run make.")
    return Path(next(iter(spec.submodule_search_locations)))


def write_validate_descriptor(path: Path) -> None:
    """Writes the descriptor of buf/validate as a set that protoc reads."""
    described = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    path.write_bytes(FileDescriptorSet(file=[described]).SerializeToString())


def run_protoc(*arguments: str) -> None:
    """Runs protoc, which has already said what is wrong when it fails."""
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit(1)


def generate(target: Path, validate_set: Path) -> None:
    """Writes stubs of every .proto, and gRPC stubs of those that hold a service."""
    ours = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    sources = (
        f"--proto_path={PROTOS}",
        f"--proto_path={folder_of('grpc_tools') / '_proto'}",
        f"--proto_path={folder_of('google.api').parent.parent}",
        f"--descriptor_set_in={validate_set}",
    )
    run_protoc(
        *sources,
        f"--python_out={target}",
        f"--pyi_out={target}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={target / 'chenu.binpb'}",
        *ours,
        VALIDATE,
    )
    services = [path for path in ours if path.endswith("_service.proto")]
    run_protoc(*sources, f"--grpc_python_out={target}", *services)
    image = FileDescriptorSet.FromString((target / "chenu.binpb").read_bytes())
    StubTypes(image).write(target)


def main() -> None:
    """Builds gen/ and marks it ready."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".gen-") as folder:
        fresh = Path(folder) / "gen"
        fresh.mkdir()
        validate_set = Path(folder) / "validate.binpb"
        write_validate_descriptor(validate_set)
        generate(fresh, validate_set)
        (fresh / ".ready").touch()
        if GEN.exists():
            GEN.rename(Path(folder) / "old")
        shutil.move(fresh, GEN)


if __name__ == "__main__":
    main()
