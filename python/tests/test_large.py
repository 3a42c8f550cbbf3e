"""Schemas of very many files: modules that import each other, however deep, in whatever order programs import them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

COMMAND = Path(os.environ.get("ZSVC_COMMAND", ROOT / "target/debug/zsvc"))
CHAIN = 500
FILE = """package chain.p{number}.v1;
{imports}
struct Item {{ name: string = 1;{field} }}

service Store {{ rpc get(name: string) -> Item; }}
"""


def write(folder: Path, count: int) -> list[str]:
    """Writes files of which each imports the one before."""
    folder.mkdir()
    for number in range(count):
        before = number - 1
        imports = f'\nimport "p{before}.svc" as before;\n' if number else ""
        field = " before: before.Item? = 2;" if number else ""
        (folder / f"p{number}.svc").write_text(FILE.format(number=number, imports=imports, field=field))
    return [str(path) for path in sorted(folder.glob("*.svc"))]


PROGRAM = """
import sys
from api.chain.p{first}.v1 import Item, Store
from zsvc.schemas import of_class

carried = of_class(Store, "chain.p{first}.v1.Store")
item = Item(name="a")
from api.chain.p{last}.v1 import Item as Last
print(len(carried.files), carried.files[0][0], Last.__module__, "api.chain.p0.v1" in sys.modules)
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert COMMAND.exists(), f"build the command first: `cargo build -p zsvc-cli`, or set ZSVC_COMMAND ({COMMAND})"
    folder = tmp_path_factory.mktemp("large")
    files = write(folder / "svc", CHAIN)
    subprocess.run([COMMAND, "gen", *files, "--lang", "python", "--out", folder / "api"], check=True, timeout=120)
    return folder


@pytest.mark.parametrize("first", [CHAIN - 1, 0, CHAIN // 2])
def test_a_chain_of_modules_is_imported_from_any_end(generated: Path, first: int) -> None:
    program = PROGRAM.format(first=first, last=CHAIN - 1)
    done = subprocess.run([sys.executable, "-c", program], cwd=generated, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    count, file, module, has_first = done.stdout.split()
    assert (int(count), module, has_first) == (first + 1, f"api.chain.p{CHAIN - 1}.v1", "True")
    assert file == f"chain/p{first}/v1/p{first}.svc"


def test_the_outermost_module_grows_with_the_number_of_files_alone(generated: Path) -> None:
    root = generated / "api/__init__.py"
    assert root.stat().st_size < CHAIN * 600
    assert "and 450 other files" in root.read_text().partition("\n")[0]
