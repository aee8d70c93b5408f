"""The documentation and the code say the same: settings, pages, endpoints, links, commands, folders."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chappe.cli import parser
from chappe.partner import catalogue
from chappe.partner.endpoints import ENDPOINTS
from chappe.partner.voice import campaign_send, sending, tts_send
from chappe.settings import FileSettings, Flags, load_settings
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "chappe"
DOCS = ROOT / "docs"
CONFIGURATION = DOCS / "running" / "configuration.md"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

# The navigation of docpartner.dev. "Votre clé API" and "Gestion des webhooks" are pages beside it.
DOCUMENTED = {
    "Common pages": ["Bienvenue", "Votre clé API", "Codes d'erreur", "SDKS"],
    "SMS Partner": [
        "Crédits",
        "Envoi unitaire",
        "Envoi par lots",
        "Envoi par numéro long",
        "Envoi de sondages",
        "Annuler l'envoi d'un SMS différé",
        "Caractères spéciaux",
        "Statut unitaire",
        "Statut multiple",
        "Statut par message",
        "Statut par tag",
        "Statistique des envois",
        "Ajouter un groupe",
        "Ajouter un contact",
        "Supprimer un groupe",
        "Ajouter un lot de contacts",
        "Modifier un contact",
        "Supprimer un contact",
        "Obtenir la liste des groupes",
        "Obtenir la liste des contacts",
        "Obtenir le détail d'un contact",
        "Liste des stops",
        "Ajouter un numéro au stop SMS",
        "Supprimer un numéro du STOP SMS",
        "Gestion des réponses",
        "Activation",
        "Création d'un sous compte",
        "Supprimer un sous-compte",
        "Liste des sous-comptes",
        "Gérer les crédits des sous-comptes",
        "Gérer le transfert d'appel",
        "Envoyer une vérification",
        "Vérification de format",
        "Catégories",
        "Ciblage et calcul",
        "Statut d'une location",
        "Télécharger le fichier",
        "RCS",
    ],
    "Voice Partner": [
        "Crédits",
        "Liste des fichiers audio",
        "Renommer un fichier audio",
        "Déposer un message vocal",
        "Envoyer un SMS Vocal",
        "Supprimer un envoi différé",
        "Gestion des webhooks",
    ],
    "Mail Partner": [
        "Crédits",
        "Envoi unitaire de mail",
        "Annuler l'envoi d'un mail",
        "Statut par message",
        "Ajouter un mail",
        "Liste des désabonnements",
        "Supprimer un mail",
        "Activation",
        "Création d'un sous compte",
        "Liste des sous-comptes",
        "Gérer les crédits des sous-comptes",
    ],
}
PRODUCTS = {"sms": "SMS Partner", "voice": "Voice Partner", "mail": "Mail Partner"}


def read(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are marked with `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table, without heads and rules."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        follows_a_row = number + 1 < len(lines) and lines[number + 1].startswith("|--")
        if line.startswith("|") and not line.startswith("|--") and not follows_a_row:
            yield [cell.strip() for cell in line.split("|")[1:-1]]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=map(name_of, PAGES))


# --- configuration ------------------------------------------------------------------------------------------


def as_toml(value: object) -> str:
    """A default as the page prints it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value)


def settable(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, str, object]]:
    """(dotted key, default as TOML, annotation) of everything that chappe.toml may hold."""
    hints = typing.get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        annotation = hints[field.name]
        inner = [annotation, *typing.get_args(annotation)]
        nested = next((t for t in inner if isinstance(t, type) and issubclass(t, msgspec.Struct)), None)
        if nested is not None:
            yield from settable(nested, f"{field.name}.")
            continue
        made = field.default_factory is not msgspec.NODEFAULT
        default = field.default_factory() if made else field.default
        shown = "required" if default is msgspec.NODEFAULT else as_toml(default)
        yield prefix + field.name, shown, annotation


def choices(annotation: object) -> list[str]:
    """The words that a Literal allows, however deep it stands in a union."""
    if typing.get_origin(annotation) is typing.Literal:
        return [str(word) for word in typing.get_args(annotation)]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return [word for part in typing.get_args(annotation) for word in choices(part)]
    return []


def documented_settings() -> dict[str, list[str]]:
    return {
        cells[0].strip("`"): cells
        for cells in rows(read(CONFIGURATION))
        if re.fullmatch(r"`[\w.]+`", cells[0])
    }


def test_every_setting_is_on_the_configuration_page_and_nothing_else() -> None:
    assert set(documented_settings()) == {key for key, _, _ in settable(FileSettings)}


def test_every_setting_is_documented_with_its_default_and_its_words(tmp_path: Path) -> None:
    documented = documented_settings()
    # `host = None` in the file's class means "not given": the default is what an empty configuration gives.
    in_force = load_settings(Flags(data=str(tmp_path)), {})
    for key, default, annotation in settable(FileSettings):
        cells = documented[key]
        if default == "unset":
            default = as_toml(getattr(in_force, key, None))
        assert cells[2].strip("`") == default, key
        for word in choices(annotation):
            assert f'"{word}"' in cells[-1], f"{key}: {word}"


def test_every_environment_variable_is_documented() -> None:
    in_code = {
        name
        for path in SOURCES.rglob("*.py")
        for name in re.findall(r"CHAPPE_[A-Z_]*[A-Z]", path.read_text())
    }
    in_docs = {name for page in PAGES for name in re.findall(r"CHAPPE_[A-Z_]*[A-Z]", read(page))}
    assert in_code == in_docs


def test_every_flag_of_serve_is_on_the_configuration_page() -> None:
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
        parser().parse_args(["serve", "--help"])
    flags = set(re.findall(r"--[a-z-]+", shown.getvalue())) - {"--help"}
    assert flags <= set(re.findall(r"--[a-z-]+", read(CONFIGURATION)))


@every_page
def test_every_toml_example_is_accepted(page: Path, tmp_path: Path) -> None:
    for number, example in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(example, "utf-8")
        load_settings(Flags(data=str(tmp_path), config=str(file)), {})


# --- compatibility ------------------------------------------------------------------------------------------


def compatibility() -> dict[str, list[list[str]]]:
    """The rows of compatibility.md by product: page, endpoints, status, tested by, differences."""
    parts = re.split(r"^## (.*)$", read(DOCS / "compatibility.md"), flags=re.MULTILINE)
    return {title: list(rows(text)) for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def calls(text: str) -> set[str]:
    """`GET /v1/me` and the like, as they stand in code spans."""
    return set(re.findall(r"`((?:GET|POST|DELETE|PUT) /v1/[^`]*)`", text))


@pytest.mark.parametrize("product", DOCUMENTED)
def test_every_page_of_the_documentation_has_one_row(product: str) -> None:
    assert sorted(cells[0] for cells in compatibility()[product]) == sorted(DOCUMENTED[product])


@pytest.mark.parametrize("product", DOCUMENTED)
def test_every_row_says_what_stands_and_what_proves_it(product: str) -> None:
    for page, endpoints, status, tested_by, differences in compatibility()[product]:
        assert status in ("done", "partly", "not yet"), page
        assert calls(endpoints) or endpoints == "no endpoint" or "callbacks" in endpoints, page
        assert status != "done" or "](../tests/" in tested_by, f"{page}: done, and no test is named"
        assert status != "partly" or differences, f"{page}: what is missing?"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_row_is_done_or_partly_done_exactly_when_its_endpoints_stand(product: str) -> None:
    standing = {
        f"{method} /v1{path}"
        for endpoint in ENDPOINTS
        if endpoint.page.product == product
        for method in endpoint.page.methods
        for path in endpoint.page.paths
    }
    table = compatibility()[PRODUCTS[product]]
    named = {call for cells in table if cells[2] != "not yet" for call in calls(" ".join(cells))}
    assert standing <= named, "endpoints that stand are in no row, or in one marked as not yet"
    for page, endpoints, status, _, _ in table:
        missing = calls(endpoints) - standing
        if status == "not yet":
            assert missing or not calls(endpoints), f"{page} stands and is marked as not yet"
        else:
            assert not missing, f"{page} is marked as {status}"


# --- codes of voice -----------------------------------------------------------------------------------------


def test_every_code_of_the_two_voice_sends_is_on_the_voice_page_with_its_status_and_its_call() -> None:
    section = (
        read(DOCS / "calling" / "voice.md").partition("## Errors of the two sends\n")[2].partition("\n## ")[0]
    )
    table = {cells[0].strip("`"): cells[1:4] for cells in rows(section)}
    by_page = [
        {code: message for code, message in catalogue.table(page).items() if isinstance(code, str)}
        for page in (tts_send.PAGE, campaign_send.PAGE)
    ]
    # Files are named on other pages.
    codes = {**by_page[0], **by_page[1]}
    del codes["FILENAME_INVALID"]
    assert set(table) == set(codes)
    for code, (status, *calls_of_code) in table.items():
        in_list_only = code == "PHONE_NUMBER_DUPLICATE"
        assert status == ("none" if in_list_only else str(codes[code].http_status)), code
        modules = [tts_send, campaign_send]
        for named, module in zip(calls_of_code, modules, strict=True):
            is_met = code in _refused_with(module)
            assert (named == "yes") is is_met, f"{code} of {module.__name__}"


def _refused_with(module: types.ModuleType) -> set[str]:
    """The codes that a send names itself, and those that both share in `sending`; a helper that it does not call is not its."""
    own = Path(str(module.__file__)).read_text("utf-8")
    shared = Path(str(sending.__file__)).read_text("utf-8")
    texts = [own]
    for part in re.split(r"^(?=(?:async )?def )", shared, flags=re.MULTILINE)[1:]:
        name = part.partition("def ")[2].partition("(")[0]
        if f"sending.{name}(" in own:
            texts.append(part)
    return {code for text in texts for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', text)}


# --- links, commands, folders -------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        assert place.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(place), target


def units(page: Path) -> list[str]:
    """The systemd units that a page shows."""
    return [block for block in blocks(page, "ini") if "[Service]" in block]


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every `chappe ...` in shell blocks, units and code spans."""
    for unit in units(page):
        for started in re.findall(r"^ExecStart=\S+/bin/chappe (.*)$", unit, re.MULTILINE):
            yield shlex.split(started.replace("%i", "8000"))
    for line in "\n".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        for number, word in enumerate(words):
            if re.fullmatch(r"(\S*/bin/)?chappe", word) and words[number - 1 : number] != ["-u"]:
                yield words[number + 1 :]
                break
    for span in re.findall(r"`chappe ([^`]*)`", prose(page)):
        yield shlex.split(span)


@every_page
def test_every_chappe_command_is_one_that_the_command_line_takes(page: Path) -> None:
    for arguments in commands(page):
        if arguments[0].startswith("-"):
            continue  # `chappe --version` ends by itself
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                parser().parse_args(arguments)
            except SystemExit:
                # A group alone, such as `chappe account`, is named and not run.
                assert "arguments are required: COMMAND" in said.getvalue(), (arguments, said.getvalue())


def test_the_units_start_the_server_in_every_role() -> None:
    started = [arguments for page in PAGES for unit in units(page) for arguments in [_of_unit(unit)]]
    assert sorted(parser().parse_args(arguments).role or "all" for arguments in started) == [
        "all",
        "api",
        "worker",
    ]


def _of_unit(unit: str) -> list[str]:
    """What a unit gives to chappe; it must name the user, and stop as late as the server may need."""
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert lines["User"] == "chappe"
    assert int(lines["TimeoutStopSec"]) > 10
    assert lines["ExecStart"].startswith("/opt/chappe/.venv/bin/chappe ")
    return shlex.split(lines["ExecStart"].replace("%i", "8000"))[1:]


def test_every_query_runs_on_the_schema_of_today(postgres: PostgresServer, postgres_template: str) -> None:
    queries = [query for page in PAGES for query in blocks(page, "sql") if "CREATE ROLE" not in query]
    assert queries
    for query in queries:
        postgres.query_file(query, postgres_template)


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", prose(page)))
    for block in blocks(page, "sh"):
        named |= set(re.findall(r"\bmake ([a-z-]+)", block))
    assert named <= targets


def test_every_folder_of_the_package_is_on_the_architecture_page() -> None:
    folders = {path.parent.name for path in SOURCES.rglob("__init__.py")} - {"chappe"}
    page = read(DOCS / "architecture.md")
    missing = {name for name in folders if f"{name}/" not in page}
    assert not missing


def test_the_changelog_has_an_unreleased_section() -> None:
    assert re.search(r"^## \[Unreleased\]$", read(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_no_page_names_a_path_of_the_machine_it_was_written_on() -> None:
    for page in PAGES:
        assert str(ROOT) not in read(page)
